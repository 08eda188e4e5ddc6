"""CRM systems: plan, apply, roll back."""
