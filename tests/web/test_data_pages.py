"""The pages that show the published run: right figures, each person's own scope, hostile input."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from tests.web.shop import MANAGERS, build, place

from kequn.act import read_outcomes
from kequn.reading.grid import grid_of
from kequn.reading.movement import movers, moves
from kequn.snapshot import Cards, SnapshotStore, compare
from kequn.web.accounts.models import SegmentOwner
from kequn.web.accounts.scope import EVERYONE, NOBODY, Scope
from kequn.web.audit.models import AuditEvent
from kequn.web.jobs.models import Job
from kequn.web.pages.rfm.views import _cells
from kequn.web.published import chosen_scheme, schemes, segment_rows
from kequn.web.serving import Reader, serving

Browse = Callable[..., Client]
PAGES = [
    "/overview/",
    "/customers/",
    "/segments/",
    "/rfm/",
    "/migration/",
    "/cohorts/",
    "/tiers/",
    "/predictions/",
]
LIN = Scope(account_manager=MANAGERS[0])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shop") / "shop")


@pytest.fixture
def shop(built: Path, snapshots: Path) -> Path:
    place(built, snapshots)
    return snapshots


@pytest.fixture
def reader(shop: Path) -> Iterator[Reader]:
    with serving().pin() as pinned:
        yield pinned


def html(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.content.decode()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", ["viewer", "analyst", "sales", "segment_owner"])
def test_every_page_opens_for_every_role_and_in_english(
    browse: Browse, shop: Path, role: str, path: str
) -> None:
    client = browse(role, account_manager=MANAGERS[0])
    html(client, path)
    client.post("/language/", {"language": "en"})
    assert 'lang="en"' in html(client, path)


@pytest.mark.parametrize("path", PAGES)
def test_before_the_first_run_every_page_says_what_to_do(browse: Browse, snapshots: Path, path: str) -> None:
    assert "kequn run" in html(browse("analyst"), path)


@pytest.mark.parametrize("scope", [EVERYONE, LIN, NOBODY, Scope(segments=(("rfm", "champions"),))])
def test_segment_sums_are_those_of_the_customers_in_scope(reader: Reader, scope: Scope) -> None:
    rfm = schemes(reader)["rfm"]
    where, values = reader.scoped(scope)
    sql = f"SELECT seg_rfm, count(*), sum(revenue_12m) FROM profile WHERE {where} AND seg_rfm IS NOT NULL GROUP BY 1"
    expected = {name: (people, money) for name, people, money in reader.rows(sql, values)}
    found = {
        row["segment"]: (row["customers"], row["revenue_12m"])
        for row in segment_rows(reader, scope, rfm)
        if row["customers"]
    }
    assert found == expected


def test_the_cells_counted_for_a_person_add_up_to_those_of_the_run(reader: Reader) -> None:
    grid = grid_of(reader.manifest.model_dump(mode="json"), "rfm")

    def by_cell(scope: Scope) -> dict[Any, int]:
        sums: dict[Any, int] = {}
        for cell in _cells(reader, scope, grid):
            key = (cell["at"], cell["segment"])
            sums[key] = sums.get(key, 0) + cell["customers"]
        return sums

    parts = [by_cell(Scope(account_manager=name)) for name in MANAGERS]
    whole = by_cell(EVERYONE)
    owned = {key: sum(part.get(key, 0) for part in parts) for key in whole}
    managed = reader.value(
        "SELECT count(*) FROM profile WHERE seg_rfm IS NOT NULL AND account_manager IS NULL"
    )
    assert whole and sum(whole.values()) == sum(owned.values()) + managed
    assert all(owned[key] <= whole[key] for key in whole)


def test_the_rule_of_chosen_cells_matches_exactly_their_customers(browse: Browse, reader: Reader) -> None:
    from kequn.reading.rules import count_query, rule_of

    manifest = reader.manifest.model_dump(mode="json")
    grid = grid_of(manifest, "rfm")
    for cells in ([(5, 5), (5, 4), (4, 5)], [(1, 1)], [(x, 3) for x in range(1, 6)]):
        counted = reader.value(count_query(manifest, rule_of(manifest, grid.rule(cells))))
        assert counted == sum(
            cell["customers"] for cell in _cells(reader, EVERYONE, grid) if cell["at"] in cells
        )
    page = html(browse("analyst"), "/rfm/?cells=55,54,45")
    assert "recency_days &lt;=" in page


def test_moves_are_those_of_the_comparison_of_two_runs(shop: Path) -> None:
    before, after = sorted(SnapshotStore(shop).runs(), key=lambda run: run.manifest.as_of)
    told = compare(before, after)
    for scheme in ("rfm", "transaction_type"):
        expected = [row for row in told.migration.to_pylist() if row["scheme"] == scheme]
        found = [{"scheme": scheme, **row} for row in moves(before, after, scheme)]
        unlinked = replace(after, manifest=after.manifest.model_copy(update={"previous": None}))
        assert moves(before, unlinked, scheme) == moves(before, after, scheme)  # counted, and as published
        assert sorted(map(str, found)) == sorted(map(str, expected))
        for row in found:
            assert (
                len(movers(before, after, scheme, (row["from_segment"], row["to_segment"])))
                == row["customers"]
            )


def test_sales_find_and_open_only_their_own_customers(browse: Browse, reader: Reader) -> None:
    mine = reader.value("SELECT customer_id FROM profile WHERE account_manager = ? ORDER BY 1", [MANAGERS[0]])
    other = reader.value(
        "SELECT customer_id FROM profile WHERE account_manager = ? ORDER BY 1", [MANAGERS[1]]
    )
    client = browse("sales", account_manager=MANAGERS[0])
    assert f"/customers/{mine}/" in html(client, f"/customers/?q={mine}")
    assert f"/customers/{other}/" not in html(client, f"/customers/?q={other}")
    for part in ("", "why/", "history/"):
        html(client, f"/customers/{mine}/{part}")
        html(client, f"/customers/{other}/{part}", 404)
    assert client.post(f"/customers/{other}/unmask/", {"reason": "call"}).status_code == 404


def test_a_segment_owner_sees_their_segment_and_no_other(browse: Browse, reader: Reader) -> None:
    first, second = (row["segment"] for row in segment_rows(reader, EVERYONE, schemes(reader)["rfm"])[:2])
    client = browse("segment_owner")
    SegmentOwner.objects.create(user=client.user, scheme="rfm", segment=first)  # type: ignore[attr-defined]
    html(client, f"/segments/rfm/{first}/")
    html(client, f"/segments/rfm/{first}/members/")
    for part in ("", "members/"):
        html(client, f"/segments/rfm/{second}/{part}", 404)
    assert client.post(f"/segments/rfm/{second}/export/", {"format": "csv"}).status_code == 404


def test_contact_data_stay_masked_until_somebody_asks_with_a_reason(browse: Browse, published: Path) -> None:
    client = browse("marketer")
    assert "138-0000-0007" not in html(client, "/customers/C007/")
    client.post("/customers/C007/unmask/", {"reason": " "})
    assert "138-0000-0007" not in html(client, "/customers/C007/")
    client.post("/customers/C007/unmask/", {"reason": "回访"})
    assert "138-0000-0007" in html(client, "/customers/C007/") and "13800000008" not in html(
        client, "/customers/C008/"
    )
    event = AuditEvent.objects.get(action="customer.unmasked")
    assert event.object_id == "C007" and event.details["reason"] == "回访"


def test_hostile_names_and_ids_do_no_harm(browse: Browse, reader: Reader) -> None:
    client = browse("administrator")
    for text in ("'; DROP TABLE profile; --", "<script>alert(1)</script>", "%00", "a" * 5000, "(((", "😀"):
        assert "<script>alert(1)" not in html(
            client, f"/customers/?q={quote(text)}&page=-1&sort=x&in=a/b&in=rfm/x&cells=99,zz&grid=rfm"
        )
    for row in reader.dicts(
        "SELECT customer_id FROM profile WHERE customer_id LIKE '%DROP%' OR customer_id LIKE '😀%'"
    ):
        html(client, f"/customers/{quote(row['customer_id'])}/")
    for path in (
        "/rfm/?scheme=nope",
        "/migration/?from=../../etc",
        "/segments/?scheme=nope",
        "/segments/rfm/nope/",
        "/tiers/?scheme=%27",
    ):
        html(client, path, 404)
    html(client, "/migration/?move=x:y&page=9999999")
    html(client, "/rfm/?cells=" + "55," * 3000)


def test_why_names_the_clauses_that_hold_and_a_change(browse: Browse, reader: Reader) -> None:
    found = reader.value("SELECT customer_id FROM profile WHERE seg_rfm = 'champions' ORDER BY 1")
    page = html(browse("analyst"), f"/customers/{quote(found)}/why/")
    assert schemes(reader)["rfm"].segment_title("champions") in page and "k-change" in page


@pytest.mark.parametrize(
    ("role", "personal", "shown"), [("analyst", "on", None), ("analyst", "", False), ("marketer", "on", True)]
)
def test_an_export_holds_the_members_and_personal_data_only_by_permission(
    browse: Browse, reader: Reader, role: str, personal: str, shown: bool | None
) -> None:
    client = browse(role)
    answer = client.post("/segments/rfm/champions/export/", {"format": "csv", "personal": personal})
    if shown is None:
        assert answer.status_code == 404 and not Job.objects.exists()
        return
    from kequn.web.jobs.context import JobContext
    from kequn.web.pages.segments.jobs import export_members

    job = Job.objects.get(kind="members.export")
    context = JobContext(job)
    result = export_members(context, **job.params)
    with (context.folder / result["file"]).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    ids = {row[0] for row in reader.rows("SELECT customer_id FROM profile WHERE seg_rfm = 'champions'")}
    assert len(rows) == result["rows"] == len(ids)
    titles = {
        item["name"]: item["title"]["zh"]
        for item in reader.manifest.model_dump()["columns"]
        if item["privacy"] != "none"
    }
    assert any(titles[name] in rows[0] for name in titles if name != "customer_id") is shown
    assert AuditEvent.objects.get(action="export.created").details["personal"] is shown


def test_viewers_and_sales_can_not_export(browse: Browse, shop: Path) -> None:
    for role in ("viewer", "sales"):
        assert (
            browse(role, account_manager=MANAGERS[0])
            .post("/segments/rfm/champions/export/", {"format": "csv"})
            .status_code
            == 403
        )


def test_the_first_scheme_is_shown_when_none_is_named(reader: Reader) -> None:
    assert chosen_scheme(reader, None).name == "rfm"
    assert chosen_scheme(reader, None, "tiers").name == "value_tier"


def test_who_entered_and_who_left_are_the_customers_whose_segment_changed(
    browse: Browse, reader: Reader
) -> None:
    before, after = SnapshotStore(reader.folder.parent).runs()[::-1][:2]
    places = {run.run_id: placed(run) for run in (before, after)}
    client, sums = browse("analyst"), {"in": 0, "out": 0}
    for name, _title in schemes(reader)["rfm"].segments:
        was, now = (
            {customer for customer, segment in places[run.run_id].items() if segment == name}
            for run in (before, after)
        )
        for side, moved in (("in", now - was), ("out", was - now)):
            shown = client.get(f"/segments/rfm/{name}/moves/?side={side}").context
            assert shown["sides"][side]["customers"] == shown["found"].total == len(moved)
            assert {row["customer_id"] for row in shown["found"].rows} <= moved
            sums[side] += len(moved)
    assert sums["in"] and sums["out"]


def placed(run: Any) -> dict[str, str]:
    import duckdb

    files = [str(file) for file in run.files("assignment")]
    sql = "SELECT customer_id, segment FROM read_parquet(?) WHERE scheme = 'rfm'"
    return dict(duckdb.connect().execute(sql, [files]).fetchall())


def test_each_move_says_what_changed_about_the_customer(browse: Browse, shop: Path) -> None:
    shown = browse("analyst").get("/segments/rfm/champions/moves/").context["found"].rows
    explained = [row for row in shown if row["reasons"]]
    assert explained
    for row in explained:
        assert all(item["was"] != item["now"] and item["what"] for item in row["reasons"])
    known = [row for row in shown if row["far"] != "方案之外"]
    assert all(row["reasons"] for row in known)


def test_moves_keep_to_the_customers_of_the_person_and_to_known_runs(browse: Browse, reader: Reader) -> None:
    sales = browse("sales", account_manager=MANAGERS[0])
    shown = sales.get("/segments/rfm/champions/moves/").context
    mine = {
        row[0]
        for row in reader.rows("SELECT customer_id FROM profile WHERE account_manager = ?", [MANAGERS[0]])
    }
    assert {row["customer_id"] for row in shown["found"].rows} <= mine
    everybody = browse("analyst").get("/segments/rfm/champions/moves/").context
    assert shown["sides"]["in"]["customers"] <= everybody["sides"]["in"]["customers"]
    html(browse("analyst", "third"), "/segments/rfm/champions/moves/?from=nothing", 404)
    html(browse("analyst", "fourth"), "/segments/rfm/nobody/moves/", 404)


def test_a_sales_person_records_an_outcome_of_their_customer_and_of_no_other(
    browse: Browse, reader: Reader, settings: Any, outcomes: Path
) -> None:
    own, foreign = (
        reader.value("SELECT min(customer_id) FROM profile WHERE account_manager = ?", [name])
        for name in MANAGERS
    )
    client = browse("sales", account_manager=MANAGERS[0])
    assert "outcome-result" in html(client, f"/customers/{own}/")
    answer = client.post(f"/customers/{own}/outcome/", {"result": "interested", "order": ""})
    assert answer.status_code == 302
    [row] = read_outcomes(settings.WORKSPACE)
    assert (row["customer_id"], row["result"], row["channel"]) == (own, "interested", "phone")
    assert "有意向" in html(client, f"/customers/{own}/")
    assert client.post(f"/customers/{foreign}/outcome/", {"result": "bought"}).status_code == 404
    assert client.get(f"/customers/{own}/outcome/").status_code == 405
    client.post(f"/customers/{own}/outcome/", {"result": "delighted"})
    assert len(read_outcomes(settings.WORKSPACE)) == 1
    assert AuditEvent.objects.filter(action="outcome.recorded", object_id=own).count() == 1
    viewer = browse("viewer")
    assert "outcome-result" not in html(viewer, f"/customers/{own}/")
    assert viewer.post(f"/customers/{own}/outcome/", {"result": "bought"}).status_code == 403


def test_the_card_says_what_moved_the_chances(browse: Browse, reader: Reader) -> None:
    customer = reader.value("SELECT min(customer_id) FROM prediction WHERE p_purchase_30d IS NOT NULL")
    text = html(browse("analyst"), f"/customers/{customer}/drivers/")
    assert "k-moved" in text or "没有可以解释" in text
    html(browse("sales", account_manager="nobody"), f"/customers/{customer}/drivers/", 404)


def test_the_card_is_the_same_without_the_card_files(browse: Browse, reader: Reader, shop: Path) -> None:
    owner, viewer = browse("segment_owner"), browse("viewer")
    last = list(schemes(reader).values())[-1]
    SegmentOwner.objects.create(user=owner.user, scheme=last.name, segment=last.segments[0][0])  # type: ignore[attr-defined]
    sql = f'SELECT customer_id, "seg_{last.name}" FROM profile WHERE "seg_{last.name}" IS NOT NULL ORDER BY 1'
    placed = dict(reader.rows(sql))

    def shown() -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for customer in list(placed)[:6]:
            owns = placed[customer] == last.segments[0][0]
            assert owner.get(f"/customers/{customer}/").status_code == (200 if owns else 404)
            answer = viewer.get(f"/customers/{customer}/")
            card = answer.context["card"]
            found.append(
                (
                    card.facts,
                    card.measures,
                    card.groups,
                    card.action,
                    card.offers,
                    card.forecasts,
                    card.orders,
                )
            )
        return found

    fast = shown()
    assert "profile" in reader._handle.cards and any(card[-1] for card in fast)
    empty = Cards(shop)  # a folder without card files, as runs before them were
    kept, reader._handle.cards = reader._handle.cards, empty
    try:
        assert shown() == fast
    finally:
        reader._handle.cards = kept


def test_a_damaged_card_file_is_told_on_the_page(browse: Browse, shop: Path) -> None:
    with serving().pin() as reader:
        (customer,) = reader.rows("SELECT customer_id FROM profile LIMIT 1")[0]
    file = reader.folder / "card_profile.arrow"
    whole = file.read_bytes()
    client = browse("viewer")
    serving().close()
    try:
        file.write_bytes(whole[: len(whole) // 2])
        answer = client.get(f"/customers/{customer}/")
        assert answer.status_code == 503 and "Traceback" not in answer.content.decode()
    finally:
        file.write_bytes(whole)
        serving().close()
    assert client.get(f"/customers/{customer}/").status_code == 200


def test_quality_and_readiness_come_from_the_run_until_a_check_looked_later(
    browse: Browse, shop: Path, tmp_path: Path
) -> None:
    import json

    client = browse("analyst")
    run = SnapshotStore(shop).current()
    assert run is not None
    said = run.manifest.model_dump(mode="json")
    page = client.get("/quality/readiness/").context
    known = {model["title"]: (model["available"], model["whole"]) for model in page["models"]}
    behavioural = sum(item["model"] == "behavioural" for item in said["columns"])
    lacking = sum(item["model"] == "behavioural" for item in said["unavailable"])
    assert known["行为细分"] == (behavioural, behavioural + lacking) and lacking
    assert any(model["unlocks"] for model in page["models"])
    quality = client.get("/quality/").context
    assert {table["name"]: table["read"] for table in quality["tables"]}["orders"] > 0
    noticed = [one for one in said["warnings"] if not one["code"].startswith(("scheme.", "cluster."))]
    assert len(quality["warnings"]) == len(noticed)
    from django.conf import settings

    later = {"models": [], "tables": [], "warnings": [], "checked_at": "2999-01-01T00:00:00+00:00"}
    file = Path(settings.PRIVATE) / "check.json"
    file.write_text(json.dumps(later), encoding="utf-8")
    try:
        assert client.get("/quality/readiness/").context["models"] == []
    finally:
        file.unlink()
