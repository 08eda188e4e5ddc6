"""IDENTIFY: data standard, sources, mapping, checks, quarantine, identity, consent."""
