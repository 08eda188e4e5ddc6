"""ACT: playbooks, call lists, campaigns, tasks."""
