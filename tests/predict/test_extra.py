from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa

from kequn.predict.features import as_float

EXPLAINING = """
import sys
import numpy
from kequn.predict.extra import load
known = load("lightgbm").Dataset(numpy.arange(40.0).reshape(20, 2), numpy.arange(20.0))
booster = load("lightgbm").train({"verbose": -1}, known, 2)
parts = booster.predict(numpy.arange(2.0).reshape(1, 2), pred_contrib=True)
print(parts.shape, sorted({"pandas", "sklearn"} & set(sys.modules)))
import pandas, sklearn
print(pandas is not None and sklearn is not None)
"""


def test_explaining_a_model_loads_neither_pandas_nor_scikit_learn_and_hides_them_from_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", EXPLAINING], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["(1, 3) []", "True"], done.stderr[-2000:]


def test_columns_become_numbers_wherever_they_begin_and_unknown_ones_nan() -> None:
    column = pa.chunked_array([pa.array([1, None], pa.int64()), pa.array([3], pa.int64())])
    assert np.array_equal(as_float(column[1:]), [np.nan, 3.0], equal_nan=True)
    assert np.array_equal(as_float(pa.array([2.5, float("inf")])), [2.5, np.nan], equal_nan=True)
    assert as_float(pa.array([], pa.int64())).shape == (0,)
