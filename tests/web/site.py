"""A real workbench in a process of its own, and a real browser in front of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "rowan-kettle-42"
PEOPLE = {
    "administrator": "boss",
    "viewer": "wang",
    "sales": "lin",
    "analyst": "zhou",
    "segment_owner": "sun",
}
OWNED = ("rfm", "champions")  # what the segment owner answers for
AXE = Path(__file__).parent / "vendor/axe-core/axe.min.js"
AXE_RUN = """
axe.run({
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  resultTypes: ['violations'],
}).then(found => found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 160)}`)))
"""
CREATE = """
import sys
from pathlib import Path
from kequn.web import add_user
for pair in sys.argv[2:]:
    role, name = pair.split("=")
    add_user(Path(sys.argv[1]), name, role=role, password="{password}", account_manager=name)
from kequn.web.accounts.models import SegmentOwner, User
SegmentOwner.objects.create(user=User.objects.get(username="{owner}"), scheme="{scheme}", segment="{segment}")
"""
SERVE = "import sys; from pathlib import Path; from kequn.web import serve; serve(Path(sys.argv[1]), int(sys.argv[2]), workers=1)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Site:
    """Where it is and which process it is."""

    url: str
    workspace: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running(workspace: Path, **environment: str) -> Iterator[Site]:
    """Serve `workspace` with one user per role until the block ends; fails when it isn't up within a minute."""
    settings = {
        **os.environ,
        "KEQUN_PAGES": "tests.web.gallery",
        "PYTHONPATH": os.pathsep.join(
            (str(REPOSITORY / "src"), str(REPOSITORY))
        ),  # these sources, wherever kequn is installed
        **environment,
    }
    settings.pop("DJANGO_SETTINGS_MODULE", None)
    people = [f"{role}={name}" for role, name in PEOPLE.items()]
    create = [
        sys.executable,
        "-c",
        CREATE.format(password=PASSWORD, owner=PEOPLE["segment_owner"], scheme=OWNED[0], segment=OWNED[1]),
        str(workspace),
        *people,
    ]
    subprocess.run(create, check=True, env=settings, cwd=REPOSITORY)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(workspace), str(port)], env=settings, cwd=REPOSITORY
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(f"{url}/healthz"), 60)
        yield Site(url, workspace, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_for(condition: Any, seconds: float) -> None:
    """Ask until `condition()` holds; TimeoutError when it doesn't in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)


@dataclass
class Visit:
    """One tab, with everything that went wrong in it."""

    page: Any
    site: Site
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.site.url + path)
        self.page.wait_for_load_state("networkidle")

    def sign_in(self, role: str) -> None:
        self.go("/login/")
        self.page.fill("#id_username", PEOPLE[role])
        self.page.fill("#id_password", PASSWORD)
        self.page.click("form.k-form button")
        self.page.wait_for_url(lambda url: "/login/" not in url)

    def violations(self) -> list[str]:
        """What axe finds against WCAG 2.2 A and AA, one line per rule and element."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        return list(self.page.evaluate(AXE_RUN))

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )


@contextmanager
def browser() -> Iterator[Any]:
    """Debian's Chromium, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            headless=True,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        yield opened
        opened.close()


@contextmanager
def visiting(
    chromium: Any,
    site: Site,
    language: str = "zh-CN",
    size: tuple[int, int] = (1440, 900),
    dark: bool = False,
) -> Iterator[Visit]:
    """A fresh tab that notes console errors, page errors and refusals by the CSP."""
    context = chromium.new_context(
        locale=language,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    visit = Visit(page, site)
    page.on(
        "console",
        lambda message: (
            visit.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.expose_function("kequnRefused", lambda text: visit.complaints.append(f"CSP: {text}"))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', (e) => window.kequnRefused(`${e.violatedDirective} ${e.blockedURI}`))"
    )
    try:
        yield visit
    finally:
        context.close()
