"""The REST API under `/api/v1`: the pages' answers as JSON, for other systems, by API key."""
