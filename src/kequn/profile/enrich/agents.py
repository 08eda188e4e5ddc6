"""User agents: read once each by ua-parser into device, operating system, browser and platform."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from sqlglot import exp

from kequn.errors import KequnError
from kequn.language import portable
from kequn.profile.enrich.tables import Enriched, Facts, Job, has

MOST_CHARACTERS = 512
"""What stands behind says nothing more about a device; a longer text is cut, so that 100 kB cost what 512 characters do."""
DISTINCT = portable(
    f"SELECT SUBSTRING(user_agent, 1, {MOST_CHARACTERS}) AS agent FROM events "
    f"WHERE user_agent IS NOT NULL GROUP BY SUBSTRING(user_agent, 1, {MOST_CHARACTERS})"
)
SAID = ("device", "os", "browser", "platform")


@dataclass(frozen=True)
class Agent:
    """What a user agent tells; None where it doesn't."""

    device: str | None = None
    os: str | None = None
    browser: str | None = None
    platform: str | None = None


def read_agent(text: str) -> Agent:
    """Device class (phone, tablet, desktop, tv, bot), OS, browser family, platform (app, mini_program, web).

    Never raises: control characters, garbage and endless texts give what can be told, mostly nothing.
    """
    from ua_parser import parse

    clean = "".join(c for c in text[:MOST_CHARACTERS] if c.isprintable()).strip()
    if not clean:
        return Agent()
    found = parse(clean)
    system = found.os.family if found.os else None
    model = found.device.family if found.device else ""
    browser = found.user_agent.family if found.user_agent else None
    if "MicroMessenger" in clean:
        browser = "WeChat"
    device = _device(clean, system, model)
    if device is None and system is None and browser is None:
        return Agent()
    return Agent(device, system, browser, _platform(clean))


def _device(text: str, system: str | None, model: str) -> str | None:
    if model == "Spider":
        return "bot"
    if (
        model == "iPad"
        or "Tablet" in text
        or (system == "Android" and "Mobile" not in text and "TV" not in text)
    ):
        return "tablet"
    if "TV" in text or model in ("Apple TV", "Roku"):
        return "tv"
    if system in ("iOS", "Android", "HarmonyOS", "Windows Phone", "KaiOS") or "Mobile" in text:
        return "phone"
    if system in ("Windows", "Mac OS X", "Chrome OS", "Linux", "Ubuntu", "Fedora"):
        return "desktop"
    return None


def _platform(text: str) -> str:
    if "miniProgram" in text or "MiniProgram" in text:
        return "mini_program"
    return "web" if text.startswith(("Mozilla/", "Opera/")) else "app"


def enrich_agents(job: Job) -> Enriched:
    """One row per distinct user agent. Delivered, perhaps empty, wherever events say anything about devices."""
    import pyarrow as pa

    if not agent_columns(job.facts):
        return Enriched()
    texts: list[str] = []
    warnings: list[KequnError] = []
    if job.has("events.user_agent"):
        if find_spec("ua_parser") is None:
            warnings.append(KequnError("enrich.agents_need_package", extra="technographic"))
        else:
            texts = sorted(job.engine.sql(exp.maybe_copy(DISTINCT)).column(0).to_pylist())
    read = [read_agent(text) for text in texts]
    schema = pa.schema([(name, pa.string()) for name in ("agent", *SAID)])
    rows = [
        {"agent": text, "device": one.device, "os": one.os, "browser": one.browser, "platform": one.platform}
        for text, one in zip(texts, read, strict=True)
    ]
    unread = sum(one == Agent() for one in read)
    if unread:
        warnings.append(KequnError("enrich.agents_unread", unread=unread, agents=len(texts)))
    table = job.write("enriched_agent", pa.Table.from_pylist(rows, schema=schema))
    return Enriched(
        {"enriched_agent": table},
        warnings=tuple(warnings),
        report={"agents": len(texts), "agents_unread": unread},
    )


def agent_columns(facts: Facts) -> list[str]:
    """The columns of `enriched_agent` that the facts allow."""
    return ["agent", *SAID] if any(has(facts, f"events.{name}") for name in ("user_agent", *SAID)) else []


__all__ = ["Agent", "agent_columns", "enrich_agents", "read_agent"]
