"""One HTML file from the content: template, style, script, ECharts and data inline; nothing is ever loaded from elsewhere.

The browser builds the page from the JSON with text nodes only, so a name in the data can't become markup. A content
security policy allows exactly the two scripts of the file (by sha256) and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from kequn.definitions import write_atomically
from kequn.errors import SnapshotError

if TYPE_CHECKING:
    from kequn.i18n import Lang
    from kequn.snapshot import Snapshot

ECHARTS = "static/vendor/echarts/echarts.min.js"
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def write_report(snapshot: Snapshot, file: Path, lang: Lang = "zh") -> Path:
    """Write the report of a run to `file`, opening in `lang`; readers switch language in the page. Returns `file`.

    The file appears whole or not at all. Raises SnapshotError `report.cannot_write`, and `snapshot.pruned` for a run
    whose profile is gone.
    """
    from kequn.report.content import gather

    page = render(gather(snapshot, "en" if lang == "en" else "zh"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, page.encode())
    except OSError as error:
        raise SnapshotError(
            "report.cannot_write", file=str(file), detail=error.strerror or str(error)
        ) from error
    return file


def render(content: Mapping[str, Any]) -> str:
    """The HTML page that shows `content` (see `content.gather`)."""
    lang = content["language"]
    words = content["words"][lang]
    library, script = _inline(_echarts()), _inline(_part("report.js"))
    name = content["cover"]["workspace"][lang]
    return Template(_part("report.html")).substitute(
        lang="zh-CN" if lang == "zh" else "en",
        title=html.escape(f"{name} · {words['title']}"),
        policy=html.escape(_policy(library, script)),
        style=_part("report.css"),
        noscript=html.escape(
            " · ".join(content["words"][each]["needs_script"] for each in content["languages"])
        ),
        data=as_json(content),
        library=library,
        script=script,
    )


def as_json(value: Any) -> str:
    """JSON that can stand inside a script element: `<`, `>`, `&` and line separators as \\u escapes. NaN is refused."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: _ESCAPED[found[0]], text)


def _policy(*scripts: str) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline(script: str) -> str:
    """A script that can't close its own element; newlines as the browser hashes them."""
    return re.sub(r"</(?=script)", r"<\\/", script.replace("\r\n", "\n"), flags=re.IGNORECASE)


def _part(name: str) -> str:
    return resources.files("kequn.report").joinpath(name).read_text(encoding="utf-8")


def _echarts() -> str:
    return resources.files("kequn.web").joinpath(ECHARTS).read_text(encoding="utf-8")


__all__ = ["as_json", "render", "write_report"]
