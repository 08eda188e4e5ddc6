"""What a person's browser loads: bytes over the wire and the time until the page can be used."""

from __future__ import annotations

import shutil
from statistics import median
from typing import Any

from bench.web.site import PASSWORD, USER, Site

TIMES = "() => { const n = performance.getEntriesByType('navigation')[0]; return n.domContentLoadedEventEnd }"


def loads(site: Site, customer: str, rounds: int = 5) -> dict[str, Any]:
    """First load (nothing cached) and the pages after it: median ms until usable, kilobytes as compressed."""
    from playwright.sync_api import sync_playwright

    first: list[dict[str, float]] = []
    later: dict[str, list[dict[str, float]]] = {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        for _ in range(rounds):
            context = chromium.new_context(locale="zh-CN", viewport={"width": 1440, "height": 900})
            page = context.new_page()
            page.goto(f"{site.url}/login/")
            page.fill("#id_username", USER)
            page.fill("#id_password", PASSWORD)
            page.click("form.k-form button")
            page.wait_for_url(lambda url: "/login/" not in url)
            state = context.storage_state()
            context.close()
            context = chromium.new_context(
                locale="zh-CN", viewport={"width": 1440, "height": 900}, storage_state=state
            )
            page = context.new_page()
            first.append(_visit(page, f"{site.url}/overview/"))
            for name, path in (
                ("card", f"/customers/{customer}/"),
                ("segments", "/segments/"),
                ("rules", "/rules/"),
            ):
                later.setdefault(name, []).append(_visit(page, site.url + path))
            context.close()
        version = chromium.version
        chromium.close()
    return {
        "chromium": version,
        "first": _middle(first),
        "later": {name: _middle(found) for name, found in later.items()},
    }


def _visit(page: Any, url: str) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    received: list[float] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    usable = float(page.evaluate(TIMES))
    session.detach()
    return {"kb": sum(received) / 1000, "usable_ms": usable}


def _middle(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(item[name] for item in found), 1) for name in ("kb", "usable_ms")}


__all__ = ["loads"]
