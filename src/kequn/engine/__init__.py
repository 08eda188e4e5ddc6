"""Where tables live and run: the Engine protocol, DuckDB (default) and Spark."""
