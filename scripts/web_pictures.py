"""Take the pictures of the workbench that the documentation shows.

    .venv/bin/kequn demo kequn-demo && .venv/bin/kequn run -w kequn-demo --as-of 2017-10-01 && .venv/bin/kequn run -w kequn-demo
    .venv/bin/python scripts/web_pictures.py kequn-demo [docs/images [PAGE …]]

Serves the workspace on a free port of this machine with accounts of its own, and drives Debian's Chromium. The workspace is
copied first, so that the accounts don't stay in it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.web.site import browser, running, visiting  # noqa: E402

WIDE, PHONE = (1440, 900), (390, 844)
RULE = "recency_days <= 90 AND (frequency >= 20 OR segment('value_tier') = 'gold')"
PAGES = {
    "overview": "/overview/", "tasks": "/tasks/", "customers": "/customers/", "customer": "/customers/1/", "sources": "/sources/",
    "quality": "/quality/", "readiness": "/quality/readiness/", "metrics": "/quality/metrics/", "runs": "/runs/",
    "segments": "/segments/", "segment": "/segments/rfm/champions/", "moves": "/segments/rfm/champions/moves/", "rfm": "/rfm/?cells=55,54",
    "migration": "/migration/", "rules": f"/rules/?rule={RULE}", "cohorts": "/cohorts/", "audiences": "/audiences/",
    "predictions": "/predictions/", "editor": "/editor/schemes/value_tier/", "tiers": "/tiers/", "system": "/system/", "audit": "/system/audit/",
}  # fmt: skip
ON_PHONE = ("overview", "customer", "rules")
DARK = ("overview",)


def take(workspace: Path, folder: Path, wanted: frozenset[str]) -> None:
    """One picture per page and language, and a few on a phone and in the dark."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "workspace"
        shutil.copytree(workspace, copy, ignore=shutil.ignore_patterns("state.sqlite3*", ".kequn"))
        with running(copy, KEQUN_PAGES="") as site, browser() as chromium:
            for locale, language in (("zh-CN", "zh"), ("en-US", "en")):
                for size, dark, names, ending in (
                    (WIDE, False, tuple(PAGES), ""), (PHONE, False, ON_PHONE, "-phone"), (WIDE, True, DARK, "-dark"),
                ):  # fmt: skip
                    names = tuple(name for name in names if name in wanted)
                    if not names:
                        continue
                    with visiting(chromium, site, locale, size, dark) as tab:
                        tab.page.set_default_timeout(
                            120_000
                        )  # the first page of a workspace compiles its rules
                        tab.sign_in("administrator")
                        for name in names:
                            tab.go(PAGES[name])
                            tab.page.wait_for_timeout(400)  # charts have drawn
                            tab.page.screenshot(path=folder / f"workbench-{name}{ending}-{language}.png")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs/images"
    take(Path(sys.argv[1]), target, frozenset(sys.argv[3:] or PAGES))
