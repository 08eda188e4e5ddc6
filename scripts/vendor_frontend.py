"""Fetch the front-end files that the workbench serves, at pinned versions, with their licences.

    .venv/bin/python scripts/vendor_frontend.py [NAME …]

Runs `npm pack` once per package (no `npm install`, no scripts run), copies the few files we use and removes
`sourceMappingURL` comments, because hashed static collection fails on a source map that isn't there. The results are
committed: neither users nor CI need Node.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src/kequn/web/static/vendor"
TESTS = ROOT / "tests/web/vendor"
SOURCE_MAP = re.compile(rb"\s*(?://[#@] sourceMappingURL=\S+|/\*# sourceMappingURL=.*?\*/)\s*")

ICONS = """
activity adjustments affiliate alert-circle alert-triangle api arrow-back-up arrow-down-right arrow-left arrow-right
arrow-up-right arrows-exchange arrows-left-right arrows-sort ban bell binary-tree-2 bolt book braces building
building-store bulb calendar calendar-event calendar-time cash chart-area chart-bar chart-donut chart-dots
chart-grid-dots chart-histogram chart-line chart-pie chart-sankey chart-scatter check checkbox chevron-down
chevron-left chevron-right chevron-up circle circle-check circle-dashed circle-plus circle-x clipboard-check
clipboard-list clock coin copy copy-plus crown currency-yuan dashboard database database-import device-desktop
device-mobile dots dots-vertical download edit external-link eye eye-off file-spreadsheet file-text filter flag flask
folder folder-plus gift git-branch git-compare grain grid-dots heart-handshake help help-circle hierarchy-2 history
home id inbox info-circle key keyboard language layers-intersect layers-subtract layout-dashboard layout-grid link
list list-details loader-2 lock lock-open login logout mail map-2 map-pin math-function menu-2 message-circle
mood-empty mood-sad mood-smile moon notes package pencil percentage phone photo player-play player-stop plus printer
pyramid qrcode question-mark receipt refresh report-analytics rosette rotate route scale school search selector send
settings shield shield-check shield-lock shopping-cart sitemap sort-ascending sort-descending speakerphone stack-2
star stethoscope sun table tag tags target timeline trash trending-down trending-up upload user user-check
user-circle user-cog user-heart user-minus user-plus user-search user-star user-x users users-group versions wand
world x zoom-in
""".split()  # noqa: SIM905


@dataclass(frozen=True)
class Package:
    """One npm package: `files` maps the path inside the archive to the name we serve it under."""

    name: str
    version: str
    folder: Path
    files: dict[str, str]
    licence: str | None = "LICENSE"  # None: the archive carries no text, `notice` stands in for it
    notice: str = ""


MIT = """The MIT License (MIT)

Copyright (c) 2018-2026 The Tabler Authors
Copyright (c) 2011-2026 The Bootstrap Authors (parts of tabler.min.css and tabler.min.js)

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

PACKAGES = (
    Package(
        "@tabler/core", "1.6.1", STATIC / "tabler",
        {"dist/css/tabler.min.css": "tabler.min.css", "dist/js/tabler.min.js": "tabler.min.js"},
        licence=None, notice=MIT,
    ),
    Package(
        "echarts", "6.1.0", STATIC / "echarts",
        {"dist/echarts.min.js": "echarts.min.js", "NOTICE": "NOTICE", "licenses/LICENSE-d3": "LICENSE-d3"},
    ),
    Package("htmx.org", "2.0.11", STATIC / "htmx", {"dist/htmx.min.js": "htmx.min.js"}),
    Package(
        "tom-select", "2.6.2", STATIC / "tom-select",
        {
            "dist/js/tom-select.complete.min.js": "tom-select.complete.min.js",
            "dist/css/tom-select.bootstrap5.min.css": "tom-select.bootstrap5.min.css",
        },
    ),
    Package(
        "@tabler/icons", "3.51.0", STATIC / "tabler-icons",
        {f"icons/outline/{name}.svg": f"{name}.svg" for name in ICONS},
    ),
    Package("axe-core", "4.11.0", TESTS / "axe-core", {"axe.min.js": "axe.min.js", "LICENSE-3RD-PARTY.txt": "LICENSE-3RD-PARTY.txt"}),
)  # fmt: skip


def fetch(package: Package, aside: Path) -> Path:
    """The packed archive of `package`, in `aside`."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    done = subprocess.run(command, cwd=aside, check=True, capture_output=True, text=True)
    return aside / done.stdout.strip().splitlines()[-1]


def place(package: Package, archive: Path) -> int:
    """Replace `package.folder` by the files we use; returns their bytes.

    Raises KeyError when the archive lacks a file we name.
    """
    shutil.rmtree(package.folder, ignore_errors=True)
    package.folder.mkdir(parents=True)
    wanted = dict(package.files)
    if package.licence:
        wanted[package.licence] = "LICENSE"
    with tarfile.open(archive) as packed:
        for inside, outside in wanted.items():
            member = packed.extractfile(f"package/{inside}")
            if member is None:
                raise KeyError(inside)
            (package.folder / outside).write_bytes(SOURCE_MAP.sub(b"\n", member.read()).rstrip() + b"\n")
    if package.licence is None:
        (package.folder / "LICENSE").write_text(package.notice, encoding="utf-8")
    (package.folder / "VERSION").write_text(f"{package.name} {package.version}\n", encoding="utf-8")
    return sum(file.stat().st_size for file in package.folder.iterdir())


def main(names: list[str]) -> int:
    """Vendor all packages, or only those named."""
    with tempfile.TemporaryDirectory() as aside:
        for package in PACKAGES:
            if not names or package.name in names:
                size = place(package, fetch(package, Path(aside)))
                print(f"{package.name} {package.version}: {size / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
