"""SEGMENT: scheme kinds, built-in library, assignment, explanation, portrait."""
