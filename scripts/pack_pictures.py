"""The pictures on the pages of the packs: each sample is run, and its own schemes are photographed in its report.

    python scripts/pack_pictures.py            # all packs
    python scripts/pack_pictures.py bank b2b

Needs Playwright and Chromium. Writes `docs/images/pack-<name>.png`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1200, 900


def report_of(name: str, folder: Path) -> Path:
    """The report of the pack's sample after a run."""
    from kequn.packs import write_sample
    from kequn.pipeline import run
    from kequn.pipeline.setup import prepare
    from kequn.report import write_report
    from kequn.workspace import Workspace

    write_sample(folder, name)
    prepare(Workspace.open(folder))
    snapshot = run(Workspace.open(folder)).snapshot
    return write_report(snapshot, folder / "report.html", "zh")


def picture(report: Path, titles: list[str], target: Path) -> None:
    """The cards of the schemes with these titles, from the top of the first, as high as the picture may be."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(report.resolve().as_uri())
        page.wait_for_timeout(1_500)
        page.evaluate(
            """titles => {
              const cards = titles.map(title => [...document.querySelectorAll("section.card, .card")].find(card => card.querySelector("h3")?.textContent === title)).filter(Boolean);
              const cover = document.querySelector(".cover");
              for (const details of document.querySelectorAll("details")) details.open = false;
              const main = document.querySelector("main");
              const grid = cards[0].parentElement;
              grid.replaceChildren(...cards);
              grid.style.marginTop = "20px";
              main.replaceChildren(cover, grid);
            }""",
            titles,
        )
        page.evaluate("document.querySelector('.top')?.remove(); document.querySelector('footer')?.remove()")
        page.screenshot(path=str(target), clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})
        browser.close()


def main(names: list[str]) -> None:
    from kequn.definitions import parse_yaml
    from kequn.packs import load_pack, pack_names

    for name in names or pack_names():
        pack = load_pack(name)
        own = [parse_yaml(pack.texts[f"schemes/{scheme}.yaml"], scheme) for scheme in pack.own_schemes]
        titles = [one["title"]["zh"] for one in sorted(own, key=lambda one: one["kind"] == "cross")]
        with tempfile.TemporaryDirectory() as folder:
            picture(report_of(name, Path(folder) / name), titles[:3], IMAGES / f"pack-{name}.png")
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
