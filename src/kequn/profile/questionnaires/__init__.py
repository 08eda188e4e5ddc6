"""Questionnaires that ship with Kequn, one YAML file each; a workspace adds its own under `questionnaires/`."""
