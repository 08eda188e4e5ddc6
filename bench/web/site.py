"""The real `kequn serve` on a port of its own, with a person signed in to it and API keys."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path

ROOT = Path(__file__).parents[2]
USER, PASSWORD = "bench", "rowan-kettle-42"
KEYS = 20
"""One key may ask 600 times a minute; the load takes turns with them."""
SETUP = f"""
import sys
from pathlib import Path
from kequn.web import server
folder = Path(sys.argv[1])
server.prepare(folder)
from kequn.web.accounts import api_keys
from kequn.web.accounts.models import ApiKey, User
User.objects.filter(username="{USER}").delete()
server.add_user(folder, "{USER}", password="{PASSWORD}")
user = User.objects.get(username="{USER}")
ApiKey.objects.filter(user=user).delete()
for number in range({KEYS}):
    print(api_keys.create(user, f"bench {{number}}", ["segments:read", "rules:count", "customers:read"])[1])
"""


@dataclass(frozen=True)
class Site:
    """Where it is, its process, and how to ask as somebody."""

    url: str
    pid: int
    cookie: str
    csrf: str
    keys: tuple[str, ...]

    @property
    def person(self) -> Mapping[str, str]:
        """Headers of the signed-in person's browser."""
        return {"Cookie": self.cookie, "Accept-Encoding": "gzip"}

    @property
    def form(self) -> Mapping[str, str]:
        """Headers of a form that the person sends."""
        return {
            **self.person,
            "X-CSRFToken": self.csrf,
            "HX-Request": "true",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def key(self, number: int) -> Mapping[str, str]:
        """Headers of a program with one of the API keys."""
        return {
            "Authorization": f"Bearer {self.keys[number % len(self.keys)]}",
            "Content-Type": "application/json",
        }


@contextmanager
def serving(workspace: Path, workers: int = 2) -> Iterator[Site]:
    """Serve the workspace until the block ends; TimeoutError when it isn't up within two minutes."""
    keys = subprocess.run(
        [sys.executable, "-c", SETUP, str(workspace)], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "kequn",
        "serve",
        "-w",
        str(workspace),
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, "KEQUN_LOG_LEVEL": "ERROR"}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/healthz")
        cookie, csrf = _sign_in(url)
        yield Site(url, process.pid, cookie, csrf, tuple(keys))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(url: str) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            if time.monotonic() > end:
                raise TimeoutError(url) from None
            time.sleep(0.2)


def _sign_in(url: str) -> tuple[str, str]:
    """The cookie header and the CSRF token of a session, got as a browser gets it."""
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = browser.open(f"{url}/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    if token is None:
        raise RuntimeError("the sign-in page has no form")
    fields = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token.group(1)}
    browser.open(f"{url}/login/", urllib.parse.urlencode(fields).encode(), timeout=60)
    found = {cookie.name: cookie.value or "" for cookie in jar}
    if "kequn_session" not in found:
        raise RuntimeError("signing in failed")
    return "; ".join(f"{name}={value}" for name, value in found.items()), found["kequn_csrf"]


__all__ = ["PASSWORD", "USER", "Site", "serving"]
