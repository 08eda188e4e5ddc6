"""One folder per page: `PAGE` in its `__init__`, `urls`, `views`, its templates, and `jobs` where it starts long work."""
