"""`serving.duckdb`: what the workbench reads, laid out so that a customer card takes a millisecond.

    profile               as published, sorted by customer_id, and each scheme's segment as `seg_<scheme>` (NULL = outside)
    profile_sample        2 % of its rows, the same customers in every run
    placed                customer_id, and sub_…, since_… and rule_… of the schemes where they say more than seg_…, if there are any
    membership            a view of both with all four: seg_…, sub_… (sub_segment), since_…, rule_… (rule_segment)
    assignment            a view: the published long table, read from both
    segment_by_manager    scheme × segment × sub_segment × account_manager: customers and sums of money
    audience_member, prediction, recommendation    as published, sorted by customer_id
    orders                every order of a known customer, sorted by customer_id; with its lines, units and main product
    portrait              as published, sorted by scheme and segment
    product               product_id and name of the products that have one, sorted by product_id
    contact               name, phone and e-mail with their search keys (contacts.py); apart from the profile, for they are personal

Segments lie in columns because a long table repeats a million ids per scheme: at 20 schemes it took three times as long
to write as everything else here together.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kequn.definitions import sync_folder
from kequn.errors import SnapshotError
from kequn.snapshot.contacts import build_contacts

if TYPE_CHECKING:
    import duckdb

SAMPLE_SHARE = 0.02
FILE = "serving"
ROW_GROUP = 16_384
"""Rows that are looked through for one customer: a card reads one such group per table. DuckDB's own 122,880 cost 1-2 ms more each."""
BLOCK_BYTES = 131_072
"""What is read and kept at once. DuckDB's own 262,144 make the file a twelfth larger and a look-up read twice as much."""
LAYOUT = f"ROW_GROUP_SIZE {ROW_GROUP}, BLOCK_SIZE {BLOCK_BYTES}"
_SAMPLE_BELOW = f"{int(SAMPLE_SHARE * 2**32):08x}"
COPIED = {
    "audience_member": "customer_id", "prediction": "customer_id", "recommendation": "customer_id", "portrait": "scheme, segment",
}  # fmt: skip
"""Tables of the run that are copied when they are there, and what they are sorted by."""
TABLES = ("profile", "assignment", *COPIED)
SUMS = ("revenue_12m", "revenue_365d", "revenue_90d", "profit_12m", "clv_12m", "monetary")
"""Money of the profile that is summed per segment and account manager, where the profile has it."""
ROWS_PER_RANGE = 1_500_000
"""Rows of orders or lines that a range of customers reads (as `profile/ranges.py`, which stands above this room)."""
MONEY: Mapping[str, Collection[str]] = {
    "orders": ("amount", "list_amount", "discount", "cost", "refunded_amount"),
}
"""Columns that facts hold in minor units."""


@dataclass(frozen=True)
class ServingSettings:
    """How to build: facts on or after `as_of` are left out; `minor_unit_digits` of the currency; limits of DuckDB.

    `sides` are tables (each a list of files) with the segments of all schemes side by side, as `scheme.assign` makes them on
    its way; without them the published table is read.
    """

    as_of: dt.date | None = None
    minor_unit_digits: int = 2
    memory_limit: str = "2GB"
    threads: int | None = None
    temp_directory: Path | None = None
    sides: Sequence[Sequence[Path]] = ()


def build_serving(
    snapshot_folder: Path,
    facts: Mapping[str, Sequence[Path]],
    out: Path,
    settings: ServingSettings | None = None,
) -> dict[str, int]:
    """Write `out` from the Parquet tables in `snapshot_folder` and the canonical `facts` (orders, order_lines, products,
    customers; each may be missing). Returns the rows of each table.

    Raises SnapshotError when DuckDB can't; `out` then is as it was, for the file is built aside and renamed.
    """
    settings = settings or ServingSettings()
    with _aside(out) as part, _database(part, settings) as con:
        present = {table: sorted((snapshot_folder / table).glob("*.parquet")) for table in TABLES}
        if present["profile"]:
            _profile(con, present["profile"], present["assignment"], settings)
            # asking for ids reads the other columns only where one of them lies: a third of the time of asking each row
            con.execute(
                "CREATE TABLE profile_sample AS SELECT * FROM profile WHERE customer_id IN "
                f"(SELECT customer_id FROM profile WHERE left(sha256(customer_id), 8) < '{_SAMPLE_BELOW}')"
            )
            _segment_by_manager(con, facts)
        for table, order in COPIED.items():
            if present[table]:
                files = _listed(present[table])
                con.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet({files}) ORDER BY {order}")
        if facts.get("orders"):
            _orders(con, facts, settings)
        if facts.get("products") and "name" in _columns(con, facts["products"]):
            con.execute(
                f"CREATE TABLE product AS SELECT product_id, name FROM read_parquet({_listed(facts['products'])}) "
                "WHERE name <> '' ORDER BY product_id"
            )
        if present["profile"] and facts.get("customers"):
            build_contacts(con, facts["customers"])
        tables = [
            row[0]
            for row in con.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
            ).fetchall()
        ]
        return {table: _scalar(con, f'SELECT count(*) FROM "{table}"') for table in sorted(tables)}


def _profile(
    con: duckdb.DuckDBPyConnection,
    profile: Sequence[Path],
    assignment: Sequence[Path],
    settings: ServingSettings,
) -> None:
    """The tables `profile` and `placed`, rows of both in the order of customer_id, and the views over them."""
    from kequn.snapshot.membership import in_order, side_by_side

    with tempfile.TemporaryDirectory(prefix="kequn-") as spare:
        profile = in_order(con, profile, Path(spare) / "profile.parquet")
        sides = settings.sides if settings.as_of and _fit(con, profile, settings.sides) else ()
        sides = sides or [[side_by_side(con, profile, assignment, Path(spare))]]
        # rows are laid side by side, which costs a tenth of joining by id: all tables list the same customers in order
        joined = _joined(profile, sides)
        found = {
            name: f's{place}."{name}"'
            for place, files in enumerate(sides)
            for name in _columns(con, files)
            if name.startswith(("seg_", "sub_", "since_", "rule_"))
        }
        schemes = sorted(name.removeprefix("seg_") for name in found if name.startswith("seg_"))
        segments = "".join(f", {found[f'seg_{scheme}']}" for scheme in schemes)
        con.execute(f"CREATE TABLE profile AS SELECT p.*{segments} FROM {joined}")
        more = [name for name in found if not name.startswith("seg_")]
        if more:
            listed = "".join(f", {found[name]}" for name in more)
            con.execute(f"CREATE TABLE placed AS SELECT p.customer_id{listed} FROM {joined}")
    shown = {scheme: _shown_place(scheme, more, settings.as_of) for scheme in schemes}
    columns = "".join(
        f', {value} AS "{short}_{scheme}"'
        for scheme, place in shown.items()
        for short, value in place.items()
    )
    con.execute(f"CREATE VIEW membership AS SELECT customer_id{columns} FROM {_beside(more)}")
    if schemes:
        con.execute(f"CREATE VIEW assignment AS {_long(shown, more)}")


def _beside(more: Sequence[str]) -> str:
    """Where to read segments and, when some of them are asked for, the columns of `placed`."""
    return "profile JOIN placed USING (customer_id)" if more else "profile"


def _fit(con: duckdb.DuckDBPyConnection, profile: Sequence[Path], sides: Sequence[Sequence[Path]]) -> bool:
    """Whether all tables list the same customers in the same order."""
    differs = " OR ".join(
        f"p.customer_id IS DISTINCT FROM s{place}.customer_id" for place in range(len(sides))
    )
    return bool(sides) and not _scalar(con, f"SELECT count(*) FROM {_joined(profile, sides)} WHERE {differs}")


def _joined(profile: Sequence[Path], sides: Sequence[Sequence[Path]]) -> str:
    beside = "".join(
        f" POSITIONAL JOIN read_parquet({_listed(files)}) AS s{place}" for place, files in enumerate(sides)
    )
    return f"read_parquet({_listed(profile)}) AS p{beside}"


def _shown_place(scheme: str, more: Sequence[str], as_of: dt.date | None) -> dict[str, str]:
    """The four columns of a scheme: stored, or what they are where nothing else was to be said."""
    segment = f'"seg_{scheme}"'
    otherwise = {"seg": segment, "sub": "CAST(NULL AS VARCHAR)", "since": f"DATE '{as_of}'", "rule": segment}
    place = {
        short: f'"{short}_{scheme}"' if f"{short}_{scheme}" in more else value
        for short, value in otherwise.items()
    }
    return {**place, "since": f"CASE WHEN {segment} IS NOT NULL THEN {place['since']} END"}


def _long(shown: Mapping[str, Mapping[str, str]], more: Sequence[str]) -> str:
    """The query that reads the long table `assignment` back from `profile` and `placed`."""
    return " UNION ALL ".join(
        f"SELECT customer_id, {_quoted(scheme)} AS scheme, {place['seg']} AS segment, {place['sub']} AS sub_segment, "
        f"{place['since']} AS since, {place['rule']} AS rule_segment FROM {_beside(_own(scheme, more))} "
        f"WHERE {place['seg']} IS NOT NULL"
        for scheme, place in shown.items()
    )


def _own(scheme: str, more: Sequence[str]) -> list[str]:
    return [name for name in more if name in {f"{short}_{scheme}" for short in ("sub", "since", "rule")}]


def _segment_by_manager(con: duckdb.DuckDBPyConnection, facts: Mapping[str, Sequence[Path]]) -> None:
    columns = {name: kind for name, kind, *_ in con.execute("DESCRIBE profile").fetchall()}
    schemes = [name.removeprefix("seg_") for name in columns if name.startswith("seg_")]
    if not schemes:
        return
    money = [name for name in SUMS if columns.get(name, "").startswith("DECIMAL")]
    customers = facts.get("customers", ())
    source, manager = "profile", "account_manager"
    if "account_manager" not in columns and customers and "account_manager" in _columns(con, customers):
        kept = ", ".join([*money, *(f'"seg_{scheme}"' for scheme in schemes)])
        con.execute(
            f"CREATE TEMP TABLE managed AS SELECT customer_id, account_manager, {kept} FROM profile "
            f"LEFT JOIN read_parquet({_listed(customers)}) USING (customer_id)"
        )
        source = "managed"
    elif "account_manager" not in columns:
        manager = "CAST(NULL AS VARCHAR)"
    sub = {scheme: f'"sub_{scheme}"' for scheme in schemes if f"sub_{scheme}" in _columns_of(con, "placed")}
    sums = "".join(f", sum({name}) AS {name}" for name in money)
    con.execute(
        "CREATE TABLE segment_by_manager AS "
        + " UNION ALL ".join(
            f'SELECT {_quoted(scheme)} AS scheme, "seg_{scheme}" AS segment, '
            f"{sub.get(scheme, 'CAST(NULL AS VARCHAR)')} AS sub_segment, {manager} AS account_manager, "
            f"count(*) AS customers{sums} FROM {source}"
            f"{' JOIN placed USING (customer_id)' if scheme in sub else ''} "
            f'WHERE "seg_{scheme}" IS NOT NULL GROUP BY ALL'
            for scheme in schemes
        )
        + " ORDER BY ALL"
    )
    con.execute("DROP TABLE IF EXISTS temp.managed")


def _orders(
    con: duckdb.DuckDBPyConnection, facts: Mapping[str, Sequence[Path]], settings: ServingSettings
) -> None:
    """The table `orders`; grain: one row per order of a known customer before `as_of`.

    It is built range by range of customers: facts lie sorted by customer, so a range reads little more than its own rows,
    and its hash tables and its sort stay in memory.
    """
    columns, lines = _columns(con, facts["orders"]), facts.get("order_lines", ())
    line = _columns(con, lines) if lines else {}
    both = "customer_id" in columns and (not lines or "customer_id" in line)
    rows = max(_rows(con, facts["orders"]), _rows(con, lines) if lines else 0)
    for number, within in enumerate(_ranges(con, rows) if both else [""]):
        query = _orders_query(con, facts, settings, within)
        con.execute(f"CREATE TABLE orders AS {query}" if number == 0 else f"INSERT INTO orders {query}")


def _ranges(con: duckdb.DuckDBPyConnection, rows: int) -> list[str]:
    """Conditions on `customer_id`, each with about equally many customers of the profile; together everybody."""
    served = con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'profile'").fetchone()
    customers = _scalar(con, "SELECT count(*) FROM profile") if served else 0
    parts = min(-(-rows // ROWS_PER_RANGE), max(customers, 1))
    places = ", ".join(str(customers * part // parts) for part in range(1, parts))
    if not places:
        return [""]
    found = con.execute(f"SELECT customer_id FROM profile WHERE rowid IN ({places}) ORDER BY customer_id")
    cuts = [_quoted(row[0]) for row in found.fetchall()]
    lower = ["", *(f" AND customer_id >= {cut}" for cut in cuts)]
    upper = [*(f" AND customer_id < {cut}" for cut in cuts), ""]
    return [low + high for low, high in zip(lower, upper, strict=True)]


def _orders_query(
    con: duckdb.DuckDBPyConnection,
    facts: Mapping[str, Sequence[Path]],
    settings: ServingSettings,
    within: str,
) -> str:
    columns = _columns(con, facts["orders"])
    lines, products = facts.get("order_lines", ()), facts.get("products", ())
    line = _columns(con, lines) if lines else {}
    named = [name for name in ("name", "category") if products and name in _columns(con, products)]
    dated = "refunded_at" in columns  # without a date a refund counts from the order on
    shown = [_shown("orders", name, kind, settings, dated) for name, kind in columns.items()]
    counted, joins = ["order_id", "count(*) AS lines"], ""
    if lines:
        counted += ["sum(quantity) AS quantity"] if "quantity" in line else []
        shown += ["coalesce(c.lines, 0) AS lines"] + (["c.quantity"] if "quantity" in line else [])
        if {"product_id", "amount", "line_no"} <= set(line):
            # the dearest line; among equals the first one
            counted.append("arg_max(product_id, amount * 100000 - line_no) AS main_product_id")
            shown.append("c.main_product_id")
            if named:
                shown += [
                    f"m.{name} AS main_product" if name == "name" else f"m.{name} AS main_category"
                    for name in named
                ]
                joins = (
                    f" LEFT JOIN read_parquet({_listed(products)}) AS m ON m.product_id = c.main_product_id"
                )
        joins = (
            f" LEFT JOIN (SELECT {', '.join(counted)} FROM read_parquet({_listed(lines)}) WHERE TRUE{within}"
            f" GROUP BY order_id) AS c ON c.order_id = o.order_id{joins}"
        )
    before = (
        f" AND ordered_at < DATE '{settings.as_of}'" if settings.as_of and "ordered_at" in columns else ""
    )
    order = ", ".join(f"o.{name}" for name in ("customer_id", "ordered_at", "order_id") if name in columns)
    orders = f"SELECT * FROM read_parquet({_listed(facts['orders'])}) WHERE customer_id IS NOT NULL{before}{within}"
    return f"SELECT {', '.join(shown)} FROM ({orders}) AS o{joins} ORDER BY {order}"


def _shown(table: str, name: str, kind: str, settings: ServingSettings, dated: bool) -> str:
    """A column of the facts as readers see it: money in major units, refunds after `as_of` undone."""
    quoted = f'o."{name}"'
    value = _major(quoted, settings) if name in MONEY.get(table, ()) and kind == "BIGINT" else quoted
    if settings.as_of and dated and name in ("refunded_at", "refunded_amount"):
        value = f"CASE WHEN o.refunded_at < DATE '{settings.as_of}' THEN {value} END"
    return f'{value} AS "{name}"'


def _major(column: str, settings: ServingSettings) -> str:
    digits = settings.minor_unit_digits
    unit = f"CAST('{10**-digits:.{digits}f}' AS DECIMAL({digits + 1},{digits}))"
    return f"CAST({column} * {unit} AS DECIMAL(18,{digits}))"


def drop_customer(serving: Path, customer_id: str, out: Path, pointers: Sequence[str] = ()) -> bool:
    """Write `serving` without one customer to the new file `out`; False, and no file, when it doesn't know them.

    A copy, because deleted rows stay readable in the old file. `pointers` are columns naming another customer: they
    become NULL.
    """
    import duckdb

    with duckdb.connect() as con:
        con.execute(f"ATTACH {_quoted(serving)} AS old (READ_ONLY)")
        rows = con.execute(
            "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
            "SEMI JOIN (SELECT table_oid FROM duckdb_tables() WHERE database_name = 'old') USING (table_oid) "
            "WHERE database_name = 'old' GROUP BY 1"
        ).fetchall()
        tables: dict[str, list[str]] = dict(rows)
        tests = {
            table: " OR ".join(f'"{name}" = $id' for name in ("customer_id", *pointers) if name in columns)
            for table, columns in tables.items()
        }
        if not any(
            test
            and con.execute(
                f'SELECT 1 FROM old."{table}" WHERE {test} LIMIT 1', {"id": customer_id}
            ).fetchone()
            for table, test in tests.items()
        ):
            return False
        out.parent.mkdir(parents=True, exist_ok=True)
        with _aside(out) as part:
            con.execute(f"ATTACH {_quoted(part)} AS new ({LAYOUT})")
            for table, columns in tables.items():
                cleared = [name for name in pointers if name in columns]
                shown = (
                    f" REPLACE ({', '.join(f'nullif({name}, $id) AS {name}' for name in cleared)})"
                    if cleared
                    else ""
                )
                where = " WHERE customer_id <> $id" if "customer_id" in columns else ""
                given = {"id": customer_id} if shown or where else None
                con.execute(f'CREATE TABLE new."{table}" AS SELECT *{shown} FROM old."{table}"{where}', given)
            con.execute("USE new")
            for view in con.execute(
                "SELECT sql FROM duckdb_views() WHERE database_name = 'old' AND NOT internal"
            ).fetchall():
                con.execute(view[0])
            con.execute("USE memory")
            con.execute("DETACH new")
    return True


@contextlib.contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """A path to write to; renamed to `out` when the block ends well, removed when it doesn't."""
    import duckdb

    part, log = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.part.wal")
    part.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    try:
        yield part
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(out)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise SnapshotError("snapshot.serving_failed", file=str(out), reason=reason) from error
    finally:
        part.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    sync_folder(out.parent)


@contextlib.contextmanager
def _database(path: Path, settings: ServingSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    con = duckdb.connect()
    try:
        con.execute(f"ATTACH {_quoted(path)} AS {FILE} ({LAYOUT})")
        con.execute(f"USE {FILE}")
        con.execute(f"SET memory_limit = {_quoted(settings.memory_limit)}")
        if settings.threads:
            con.execute(f"SET threads = {int(settings.threads)}")
        con.execute(
            f"SET temp_directory = {_quoted(settings.temp_directory or path.with_name(f'{path.name}.spill'))}"
        )
        con.execute("SET TimeZone = 'UTC'")
        yield con
        con.execute("CHECKPOINT")
    finally:
        con.close()


def _columns(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> dict[str, str]:
    rows = con.execute(f"DESCRIBE SELECT * FROM read_parquet({_listed(files)})").fetchall()
    return {row[0]: row[1] for row in rows}


def _columns_of(con: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """The columns of a table; none when it isn't there."""
    rows = con.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [table]).fetchall()
    return {row[0] for row in rows}


def _rows(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> int:
    return _scalar(con, f"SELECT count(*) FROM read_parquet({_listed(files)})")


def _scalar(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _listed(files: Sequence[Path]) -> str:
    return "[" + ", ".join(_quoted(file) for file in files) + "]"


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"


__all__ = ["SAMPLE_SHARE", "SUMS", "ServingSettings", "build_serving", "drop_customer"]
