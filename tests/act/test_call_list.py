"""Call lists: the best first, nobody without consent, the same offer everywhere, and what widening would bring."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.act import (
    CallRequest,
    CallTables,
    Playbooks,
    call_list,
    call_rows,
    call_titles,
    sentence,
    write_rows,
)
from kequn.errors import DataError, ModelError

AS_OF = date(2026, 1, 1)
CUSTOMERS = [
    # id, manager, average order, chance, segment
    ("a", "王", "100.00", 0.9, "vip"),
    ("b", "王", "500.00", 0.5, "vip"),
    ("c", "李", "200.00", 0.8, "vip"),
    ("d", "李", "100.00", 0.9, "rest"),
    ("e", None, None, 0.7, "rest"),
    ("f", "李", "50.00", None, "rest"),
]


def put(
    folder: Path, name: str, rows: list[dict[str, Any]], schema: pa.Schema | None = None
) -> tuple[Path, ...]:
    file = folder / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    return (file,)


@pytest.fixture
def tables(tmp_path: Path) -> CallTables:
    profile = [
        {
            "customer_id": key,
            "account_manager": who,
            "average_order_value": None if value is None else Decimal(value),
        }
        for key, who, value, _, _ in CUSTOMERS
    ]
    return CallTables(
        profile=put(tmp_path, "profile", profile),
        prediction=put(tmp_path, "prediction", [{"customer_id": r[0], "p_purchase_30d": r[3], "clv_12m": 7} for r in CUSTOMERS]),
        assignment=put(tmp_path, "assignment", [{"customer_id": r[0], "scheme": "tier", "segment": r[4]} for r in CUSTOMERS]),
        recommendation=put(tmp_path, "recommendation", [
            {"customer_id": "a", "rank": 2, "product_id": "p3", "reason_product_id": None},
            {"customer_id": "a", "rank": 1, "product_id": "p1", "reason_product_id": "p2"},
            {"customer_id": "b", "rank": 1, "product_id": "p1", "reason_product_id": "p1"},
            {"customer_id": "c", "rank": 1, "product_id": "p3", "reason_product_id": None},
        ]),
        products=put(tmp_path, "products", [{"product_id": "p1", "name": "牛奶"}, {"product_id": "p2", "name": "面包"}]),
    )  # fmt: skip


def ids(tables: CallTables, **changes: Any) -> list[str]:
    return [call.customer_id for call in call_list(tables, replace(CallRequest(), **changes), AS_OF).calls]


def test_the_list_is_ranked_by_probability_times_value(tables: CallTables) -> None:
    found = call_list(tables, CallRequest(), AS_OF)
    assert [(call.customer_id, call.expected_value) for call in found.calls] == [
        ("b", 250),
        ("c", 160),
        ("a", 90),
        ("d", 90),
    ]
    assert [call.rank for call in found.calls] == [1, 2, 3, 4]
    assert (found.reach.wanted, found.reach.unpredicted, found.reach.listed) == (6, 2, 4)


def test_a_segment_or_an_owner_narrows_the_list(tables: CallTables) -> None:
    assert ids(tables, scheme="tier", segment="vip") == ["b", "c", "a"]
    assert ids(tables, owner="李") == ["c", "d"]
    assert ids(tables, scheme="tier", segment="vip", owner="李") == ["c"]
    assert ids(tables, scheme="tier", segment="nobody") == []


def test_the_list_is_cut_to_capacity_and_widening_tells_the_rest(tables: CallTables) -> None:
    found = call_list(tables, CallRequest(capacity=2), AS_OF)
    assert len(found.calls) == 2
    first, second, *_ = found.widening
    assert (first.calls, first.added, first.conversion, first.added_value) == (2, 2, 0.65, 410)
    assert (second.calls, second.added, second.conversion) == (3, 1, 0.9)
    assert found.widening[-1].calls == 4
    assert found.widening[-1].total_value == pytest.approx(590)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.integers(1, 10_000)), min_size=1, max_size=40),
    st.integers(1, 60),
)
def test_widening_counts_every_customer_once_and_value_per_call_never_rises(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, int]], capacity: int
) -> None:
    folder = tmp_path_factory.mktemp("widening")
    profile = [{"customer_id": f"c{n}", "average_order_value": value} for n, (_, value) in enumerate(rows)]
    prediction = [{"customer_id": f"c{n}", "p_purchase_30d": p} for n, (p, _) in enumerate(rows)]
    some = CallTables(put(folder, "profile", profile), put(folder, "prediction", prediction))
    found = call_list(some, CallRequest(capacity=capacity), AS_OF)
    assert sum(step.added for step in found.widening) == len(rows)
    each = [step.added_value / step.added for step in found.widening]
    assert all(later <= earlier + 0.01 for earlier, later in itertools.pairwise(each))
    values = [call.expected_value for call in found.calls]
    assert values == sorted(values, reverse=True)
    assert len(found.calls) == min(capacity, len(rows))


def test_another_column_may_be_the_value(tables: CallTables) -> None:
    found = call_list(tables, CallRequest(value="clv_12m"), AS_OF)
    assert found.calls[0].value == 7
    assert [call.customer_id for call in found.calls] == ["a", "d", "c", "e", "b"]


@pytest.mark.parametrize("name", ["no_such", "account_manager", "customer_id"])
def test_a_value_that_is_no_number_is_refused(tables: CallTables, name: str) -> None:
    with pytest.raises(DataError) as raised:
        call_list(tables, CallRequest(value=name), AS_OF)
    assert raised.value.code == "act.no_column"


def consent(folder: Path, *rows: tuple[str, str, str, str, bool]) -> tuple[Path, ...]:
    names = ("customer_id", "channel", "purpose", "changed_at", "granted")
    listed = [dict(zip(names, row, strict=True)) for row in rows]
    for row in listed:
        row["changed_at"] = datetime.fromisoformat(str(row["changed_at"]))
    return put(folder, "consents", listed)


def test_without_a_table_of_consents_reach_is_unknown(tables: CallTables) -> None:
    found = call_list(tables, CallRequest(), AS_OF)
    assert not found.reach.consent_known
    assert found.reach.not_granted == 0


def test_who_has_not_agreed_is_not_called_and_the_last_word_counts(
    tables: CallTables, tmp_path: Path
) -> None:
    given_ = consent(
        tmp_path,
        ("a", "phone", "marketing", "2025-01-01", True),
        ("b", "phone", "marketing", "2025-01-01", True),
        ("b", "all", "marketing", "2025-06-01", False),
        ("c", "sms", "marketing", "2025-01-01", True),
        ("d", "phone", "service", "2025-01-01", True),
        ("e", "phone", "marketing", "2026-01-01", True),
    )
    found = call_list(replace(tables, consents=given_), CallRequest(), AS_OF)
    assert [call.customer_id for call in found.calls] == ["a"]
    assert found.reach.consent_known
    assert found.reach.not_granted == 3


def test_two_words_at_one_moment_mean_no(tables: CallTables, tmp_path: Path) -> None:
    both = consent(
        tmp_path,
        ("a", "phone", "marketing", "2025-01-01", True),
        ("a", "all", "marketing", "2025-01-01", False),
    )
    assert call_list(replace(tables, consents=both), CallRequest(), AS_OF).calls == ()


def test_who_was_contacted_lately_is_left_in_peace(tables: CallTables, tmp_path: Path) -> None:
    rows = [
        {"customer_id": "b", "sent_at": datetime(2025, 12, 30), "arm": "treatment"},
        {"customer_id": "c", "sent_at": datetime(2025, 11, 1), "arm": "treatment"},
        {"customer_id": "a", "sent_at": datetime(2025, 12, 31), "arm": "control"},
    ]
    quiet = replace(tables, touches=put(tmp_path, "touches", rows))
    assert ids(quiet) == ["c", "a", "d"]
    assert ids(quiet, quiet_days=0) == ["b", "c", "a", "d"]


def test_each_row_says_what_to_offer_and_why(tables: CallTables) -> None:
    books = Playbooks({"vip": {"zh": "先问候。", "en": "Greet first."}})
    request = CallRequest(scheme="tier", segment="vip")
    zh = {call.customer_id: call.sentence for call in call_list(tables, request, AS_OF, "zh", books).calls}
    en = {call.customer_id: call.sentence for call in call_list(tables, request, AS_OF, "en", books).calls}
    assert zh["a"] == "推荐“牛奶”：买过“面包”的客户也常买它。先问候。"
    assert zh["b"] == "推荐再次购买“牛奶”：客户平时就买。先问候。"
    assert en["c"] == "Offer p3: most customers like it. Greet first."


def test_without_an_offer_the_playbook_speaks() -> None:
    assert sentence(None, None, False, "先问候。") == "先问候。"
    assert sentence(None, None, False, None, "en").startswith("Ask how things are")


def test_the_offer_is_the_same_whatever_the_channel(tables: CallTables) -> None:
    lists = [
        call_list(tables, CallRequest(channel=channel), AS_OF).calls for channel in ("phone", "sms", "email")
    ]
    assert lists[0] == lists[1] == lists[2]


def test_an_unknown_scheme_is_refused(tables: CallTables) -> None:
    for request in (CallRequest(scheme="rfm"), CallRequest(segment="vip")):
        with pytest.raises(DataError) as raised:
            call_list(tables, request, AS_OF)
        assert raised.value.code == "act.no_segments"


def test_a_run_without_probabilities_cannot_rank(tables: CallTables, tmp_path: Path) -> None:
    schema = pa.schema([("customer_id", pa.string()), ("p_purchase_30d", pa.float64())])
    none = put(tmp_path, "none", [{"customer_id": "a", "p_purchase_30d": None}], schema)
    with pytest.raises(ModelError) as raised:
        call_list(replace(tables, prediction=none), CallRequest(), AS_OF)
    assert raised.value.code == "act.no_probability"


def test_a_capacity_of_nothing_is_refused(tables: CallTables) -> None:
    with pytest.raises(DataError) as raised:
        call_list(tables, CallRequest(capacity=0), AS_OF)
    assert raised.value.code == "act.bad_capacity"


def test_names_with_quotes_are_names_and_not_sql(tables: CallTables) -> None:
    assert ids(tables, owner="王' OR '1'='1") == []
    assert ids(tables, scheme="tier", segment="vip'; DROP TABLE candidate; --") == []


def test_a_list_can_be_written_to_a_file(tables: CallTables, tmp_path: Path) -> None:
    found = call_list(tables, CallRequest(), AS_OF)
    assert write_rows(tmp_path / "calls.csv", call_rows(found), call_titles("zh")) == 4
    assert (
        (tmp_path / "calls.csv").read_text(encoding="utf-8-sig").splitlines()[0].startswith("序号,客户编号")
    )
