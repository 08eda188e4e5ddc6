"""The audit log: who did what, when, to what. Written once, never changed."""
