"""The table `contact` of `serving.duckdb`: whom to reach, and the forms by which people look for them.

    customer_id, name, phone, email    as the customers' facts have them; personal, so readers mask them
    name_pinyin, name_initials         every way the name may be read, between bars: |hujiayi|, |hjy|
    phone_digits                       digits only, without a Chinese country code

One row per customer of the profile who has any of the three. The profile holds none of this: rules can't ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("name", "phone", "email")
SURNAME_SOUNDS, GIVEN_SOUNDS, WAYS = 3, 2, 12
"""Readings kept of the first character, of each later one, and of the whole name."""
BATCH = 50_000
LATIN = re.compile(r"[a-z0-9]+")


def build_contacts(con: duckdb.DuckDBPyConnection, customers: Sequence[Path]) -> None:
    """Write the table from the facts `customers`; none when they have neither name nor phone nor e-mail."""
    listed = "[" + ", ".join("'" + str(file).replace("'", "''") + "'" for file in customers) + "]"
    there = {row[0] for row in con.execute(f"DESCRIBE SELECT * FROM read_parquet({listed})").fetchall()}
    shown = [name for name in COLUMNS if name in there]
    if not shown:
        return
    named = "name" in shown and find_spec("pypinyin") is not None
    if named:
        _sounds(con, f"read_parquet({listed})")
    keys = ["s.pinyin AS name_pinyin", "s.initials AS name_initials"] if named else []
    keys += [f"{digits('c.phone')} AS phone_digits"] if "phone" in shown else []
    join = " LEFT JOIN temp.sounds AS s ON s.name = c.name" if named else ""
    values = ", ".join(["c.customer_id", *(f"c.{name}" for name in shown), *keys])
    there_is = " OR ".join(f"c.{name} <> ''" for name in shown)
    con.execute(
        f"CREATE TABLE contact AS SELECT {values} FROM read_parquet({listed}) AS c{join} "
        f"WHERE ({there_is}) AND c.customer_id IN (SELECT customer_id FROM profile) ORDER BY c.customer_id"
    )
    con.execute("DROP TABLE IF EXISTS temp.sounds")


def digits(value: str) -> str:
    """SQL for the digits of a phone number, so that +86 138 1234 6027 and 138-1234-6027 are the same.

    >>> digits("phone")
    "regexp_replace(regexp_replace(phone, '[^0-9]', '', 'g'), '^(0086|86)(1[0-9]{10})$', '\\\\2')"
    """
    return f"regexp_replace(regexp_replace({value}, '[^0-9]', '', 'g'), '^(0086|86)(1[0-9]{{10}})$', '\\2')"


def _sounds(con: duckdb.DuckDBPyConnection, source: str) -> None:
    """The temporary table `sounds`: each different name with its keys."""
    import pyarrow as pa

    con.execute("CREATE TEMP TABLE sounds (name VARCHAR, pinyin VARCHAR, initials VARCHAR)")
    asked = con.cursor().execute(f"SELECT DISTINCT name FROM {source} WHERE name <> ''")
    while batch := asked.fetchmany(BATCH):
        names = [row[0] for row in batch]
        keys = [name_keys(name) for name in names]
        read = pa.table(  # noqa: F841  (DuckDB finds it by its name)
            {"name": names, "pinyin": [full for full, _ in keys], "initials": [short for _, short in keys]}
        )
        con.execute("INSERT INTO temp.sounds SELECT * FROM read")


def name_keys(name: str) -> tuple[str, str]:
    """All ways to read a name, whole and by initials, between bars; needs pypinyin.

    >>> name_keys("胡佳怡")
    ('|hujiayi|', '|hjy|')
    """
    first, *rest = list(_parts(name.lower())) or [()]
    parts = [first[:SURNAME_SOUNDS], *(sounds[:GIVEN_SOUNDS] for sounds in rest)]
    ways = islice(product(*reversed(parts)), WAYS)  # the first character, a surname, varies first
    readings = [tuple(reversed(way)) for way in ways]
    full = dict.fromkeys("".join(reading) for reading in readings)
    short = dict.fromkeys("".join(sound[0] for sound in reading) for reading in readings)
    return "|".join(["", *full, ""]), "|".join(["", *short, ""])


def _parts(name: str) -> Iterator[tuple[str, ...]]:
    """A character with its sounds, or a word of Latin letters as it is; signs between them say nothing."""
    place = 0
    while place < len(name):
        word = LATIN.match(name, place)
        if word:
            yield (word.group(),)
            place = word.end()
            continue
        sounds = _sound(name[place])
        if sounds:
            yield sounds
        place += 1


@cache
def _sound(sign: str) -> tuple[str, ...]:
    """The ways a character sounds, without tones, the usual one first; none for anything else."""
    from pypinyin import Style, pinyin

    if not "\u3400" <= sign <= "\u9fff":
        return ()
    return tuple(sound for sound in pinyin(sign, style=Style.NORMAL, heteronym=True)[0] if sound.isascii())


def searched(text: str, columns: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Conditions on `contact` that find a name by any part, or by how it begins in pinyin or initials; with their values."""
    clauses, values = ["contains(lower(name), ?)"], [text.lower()]
    letters = "".join(LATIN.findall(text.lower()))
    if "name_pinyin" in columns and 2 <= len(letters) == len(re.sub(r"[\s'·.-]", "", text)):
        clauses += ["contains(name_pinyin, ?)", "contains(name_initials, ?)"]
        values += [f"|{letters}", f"|{letters}"]
    return clauses, values


__all__ = ["COLUMNS", "build_contacts", "digits", "name_keys", "searched"]
