"""Where CI requires everything, no test may step aside quietly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WAYS = {
    "importorskip": "import pytest\ndef test_it():\n    pytest.importorskip('no_such_package')\n",
    "skipif": "import pytest\n@pytest.mark.skipif(True, reason='no Java')\ndef test_it():\n    pass\n",
    "whole_file": "import pytest\npytest.importorskip('no_such_package')\ndef test_it():\n    pass\n",
    "need": "from tests.conftest import need\ndef test_it():\n    need(None, 'Chromium')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef server():\n    pytest.skip('no PostgreSQL')\ndef test_it(server):\n    pass\n",
    "beside": "import pytest\ndef test_it():\n    pytest.skip('extra: no real data here')\n",
}


def summary(folder: Path, required: str) -> dict[str, str]:
    """File to its word in pytest's summary (FAILED, ERROR, SKIPPED), for every way of skipping at once."""
    for way, text in WAYS.items():
        (folder / f"test_{way}.py").write_text(text, encoding="utf-8")
    found = [os.environ.get("PYTHONPATH", ""), str(REPOSITORY)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rfEs", "-p", "tests.conftest", "-p", "no:cacheprovider", "--continue-on-collection-errors",
         "--rootdir", str(folder), str(folder)],
        env={**os.environ, "KEQUN_REQUIRE_ALL": required, "PYTHONPATH": os.pathsep.join(filter(None, found))},
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    lines = re.findall(r"^(FAILED|ERROR|SKIPPED).*?test_(\w+)\.py", done.stdout, re.M)
    return {way: word for word, way in lines}


def test_a_skip_is_a_failure_where_everything_is_required(tmp_path: Path) -> None:
    """Only a check of data that lie beside the repository may still skip."""
    assert summary(tmp_path, "1") == {
        "importorskip": "FAILED", "skipif": "ERROR", "need": "FAILED", "fixture": "ERROR", "whole_file": "ERROR", "beside": "SKIPPED",
    }  # fmt: skip


def test_elsewhere_a_skip_stays_a_skip(tmp_path: Path) -> None:
    assert set(summary(tmp_path, "").values()) == {"SKIPPED"}
