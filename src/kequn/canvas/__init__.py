"""The personal business canvas."""
