"""People: users, roles, what each role may do and see, two-step sign-in, API keys."""
