from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.definitions import parse_yaml, validate
from kequn.errors import ConfigError
from kequn.i18n import LANGUAGES, explain
from kequn.workspace import (
    EngineChoice,
    RunSettings,
    Settings,
    Titles,
    Workspace,
    resolve_as_of,
    settings_text,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
CLOCK = dt.datetime(2026, 1, 31, 17, 0, tzinfo=dt.UTC)  # already 1 February in Shanghai


def settings(text: str) -> Settings:
    return validate(Settings, parse_yaml(text, "kequn.yaml"), "kequn.yaml")


def test_a_new_workspace_has_its_settings_and_folders_and_opens_again(tmp_path: Path) -> None:
    given_settings = Settings(
        name=Titles(zh="小店: #1", en='"shop"'), currency="JPY", settings=RunSettings(keep_runs=3)
    )
    made = Workspace.create(tmp_path / "shop", given_settings)
    opened = Workspace.open(tmp_path / "shop")
    assert opened.settings == made.settings == given_settings
    assert {path.name for path in opened.folder.iterdir()} == {
        ".gitignore", "kequn.yaml", "schemes", "audiences", "playbooks", "positioning", "data",
    }  # fmt: skip
    assert opened.store.current() is None and opened.store is opened.store


def test_an_existing_workspace_is_never_overwritten(tmp_path: Path) -> None:
    Workspace.create(tmp_path)
    before = (tmp_path / "kequn.yaml").read_bytes()
    with pytest.raises(ConfigError, match=r"workspace\.exists"):
        Workspace.create(tmp_path, Settings(currency="USD"))
    assert (tmp_path / "kequn.yaml").read_bytes() == before


def test_wrong_text_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown_key"):
        Workspace.create(tmp_path / "shop", text="nmae: x\n")
    assert not (tmp_path / "shop").exists()


def test_a_folder_without_settings_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"workspace\.none") as caught:
        Workspace.open(tmp_path)
    assert "kequn init" in explain(caught.value, "zh")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="no_folder"):
        Workspace.create(tmp_path / "file")


def test_an_empty_file_means_the_defaults() -> None:
    found = settings("")
    assert (found.language, found.currency, found.time_zone, found.as_of) == (
        "zh",
        "CNY",
        "Asia/Shanghai",
        "latest",
    )
    assert (found.settings.horizon_months, found.settings.discount_rate, found.settings.keep_runs) == (
        12,
        0.1,
        10,
    )


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("name: a\ncurency: CNY", "definitions.unknown_key_near", 2, "currency"),
        ("settings: {horizon_month: 12}", "definitions.unknown_key_near", 1, "horizon_months"),
        ("zzzzzz: 1", "definitions.unknown_key", 1, "language"),
        ("language: de", "definitions.not_one_of", 1, "zh"),
        ("currency: 元", "workspace.currency", 1, "CNY"),
        ("\ntime_zone: Asia/Shangai", "workspace.time_zone", 2, "Asia/Shanghai"),
        ("as_of: yesterday", "workspace.as_of", 1, "latest"),
        ("as_of: 2026-01-31 08:00:00", "workspace.as_of", 1, "latest"),
        ("as_of: 20260131", "workspace.as_of", 1, "20260131"),
        ("engine: {memory_limit: lots}", "workspace.memory_limit", 1, "2GB"),
        ("engine: {kind: polars}", "definitions.not_one_of", 1, "spark"),
        ("engine: {threads: 0}", "definitions.out_of_range", 1, "≥ 1"),
        ("engine: duckdb", "definitions.not_mapping", 1, "duckdb"),
        ("settings: {keep_runs: '10'}", "definitions.not_integer", 1, "'10'"),
        ("settings: {keep_runs: true}", "definitions.not_integer", 1, "True"),
        ("settings: {horizon_months: 0}", "definitions.out_of_range", 1, "≥ 1"),
        ("settings: {horizon_months: 1200}", "definitions.out_of_range", 1, "≤ 120"),
        ("settings: {discount_rate: -0.1}", "definitions.out_of_range", 1, "≥ 0"),
        ("settings: {discount_rate: 1.5}", "definitions.out_of_range", 1, "≤ 1"),
        ("settings: {discount_rate: .nan}", "definitions.not_number", 1, "nan"),
        ("settings: {repurchase: yes}", "definitions.not_boolean", 1, "'yes'"),
        ("name: 5", "definitions.not_text", 1, "5"),
    ],
)
def test_a_wrong_setting_names_the_line_and_what_to_write(
    text: str, code: str, line: int, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(text)
    assert (caught.value.code, caught.value.fields["line"]) == (code, line)
    for lang in LANGUAGES:
        assert words in explain(caught.value, lang)
        assert "kequn.yaml" in explain(caught.value, lang) and "{" not in explain(caught.value, lang)


@pytest.mark.parametrize(("currency", "digits"), [("CNY", 2), ("USD", 2), ("JPY", 0), ("KWD", 3)])
def test_the_currency_says_how_many_decimals_money_has(currency: str, digits: int) -> None:
    assert Settings(currency=currency).minor_unit_digits == digits


@given(
    st.builds(
        Settings,
        name=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
        currency=st.sampled_from(["CNY", "JPY"]),
        as_of=st.sampled_from(["latest", "today"]) | st.dates(),
        settings=st.builds(
            RunSettings,
            horizon_months=st.integers(1, 120),
            discount_rate=st.floats(0, 1),
            service_cost_per_order=st.none() | st.decimals(0, 1000, places=2),
            repurchase=st.booleans(),
        ),
    )
)
def test_settings_survive_being_written_and_read(original: Settings) -> None:
    assert settings(settings_text(original)) == original


@pytest.mark.parametrize(
    ("setting", "last_order", "expected"),
    [
        ("today", None, dt.date(2026, 2, 1)),
        ("latest", None, dt.date(2026, 2, 1)),
        ("latest", dt.datetime(2026, 1, 20, 23, 59), dt.date(2026, 1, 21)),
        ("latest", dt.date(2026, 1, 20), dt.date(2026, 1, 21)),
        ("latest", dt.datetime(2026, 1, 20, 17, tzinfo=dt.UTC), dt.date(2026, 1, 22)),
        ("latest", dt.datetime(2026, 2, 1, 0, 30), dt.date(2026, 2, 2)),
        ("latest", dt.datetime(2031, 2, 1), dt.date(2026, 2, 2)),
        (dt.date(2025, 6, 1), dt.datetime(2026, 1, 20), dt.date(2025, 6, 1)),
    ],
)
def test_as_of_is_a_local_day(setting: object, last_order: dt.date | None, expected: dt.date) -> None:
    assert resolve_as_of(setting, last_order, CLOCK, SHANGHAI) == expected  # type: ignore[arg-type]


def test_as_of_beyond_tomorrow_is_refused() -> None:
    assert resolve_as_of(dt.date(2026, 2, 2), None, CLOCK, SHANGHAI) == dt.date(2026, 2, 2)
    with pytest.raises(ConfigError, match="as_of_future"):
        resolve_as_of(dt.date(2026, 2, 3), None, CLOCK, SHANGHAI)


def test_definitions_come_in_a_fixed_order_by_their_path(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    for name in (
        "schemes/rfm.yaml",
        "schemes/age.yml",
        "audiences/vip.yaml",
        "features.yaml",
        "schemes/.rfm.yaml.x.part",
    ):
        (tmp_path / name).write_text(f"a: {name}\n")
    assert list(workspace.definition_texts()) == [
        "kequn.yaml", "features.yaml", "schemes/age.yml", "schemes/rfm.yaml", "audiences/vip.yaml",
    ]  # fmt: skip


def test_the_engine_gets_what_the_settings_say(tmp_path: Path) -> None:
    text = "engine: {kind: spark, master: 'spark://h:7077', threads: 2, memory_limit: 1.5 GB, temp_directory: tmp, spark: {a.b: '1'}}\n"
    found = Workspace.create(tmp_path, text=text).engine_settings(tmp_path / "other")
    assert (found.kind, found.master, found.threads, found.memory_limit) == (
        "spark",
        "spark://h:7077",
        2,
        "1.275GB",
    )
    assert found.temp_directory == tmp_path / "tmp" and found.directories == (tmp_path, tmp_path / "other")
    assert found.spark == (("a.b", "1"),)


@pytest.mark.parametrize(("limit", "duckdb"), [("2GB", "1.7GB"), ("1.5 GB", "1.275GB"), ("800MiB", "680MiB")])
def test_duckdb_leaves_some_of_the_memory_to_the_rest_of_a_run(limit: str, duckdb: str) -> None:
    assert EngineChoice(memory_limit=limit).duckdb_limit() == duckdb
