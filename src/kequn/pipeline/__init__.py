"""The run: data → profile → predict → scheme → audience → evidence → snapshot."""

from kequn.pipeline.progress import STEPS
from kequn.pipeline.run import RunResult, run

__all__ = ["STEPS", "RunResult", "run"]
