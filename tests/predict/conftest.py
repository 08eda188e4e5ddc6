"""One invented shop for all tests of predictions."""

from __future__ import annotations

import pytest

from tests.predict.world import Shop, open_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"))
