"""Where tables live and run: the Engine protocol, DuckDB (default) and Spark.

A step hands over a SQLGlot tree in the portable subset (`kequn.language`); an engine names what differs, nothing more.
"""

from kequn.engine.protocol import Engine, EngineSettings, Parquet, open_engine

__all__ = ["Engine", "EngineSettings", "Parquet", "open_engine"]
