"""Definitions as the workbench edits them: saved as files by the core, with author, history, review and undo here."""
