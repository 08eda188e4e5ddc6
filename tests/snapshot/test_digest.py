from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.errors import SnapshotError
from kequn.snapshot import member_digest, scheme_digests
from kequn.snapshot.digest import file_record

from .conftest import ASSIGNMENT, write

IDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
MEMBERS = st.dictionaries(IDS, st.sampled_from(["a", "冠军", "b_1"]), max_size=30)


def naive(members: dict[str, str]) -> str:
    rows = sorted(members.items(), key=lambda row: row[0].encode())
    return hashlib.sha256("".join(f"{one},{segment}\n" for one, segment in rows).encode()).hexdigest()


def batch(
    members: dict[str, str], types: tuple[pa.DataType, pa.DataType] = (pa.string(), pa.string())
) -> pa.RecordBatch:
    rows = sorted(members.items(), key=lambda row: row[0].encode())
    columns = [
        pa.array([row[place] for row in rows], pa.string()).cast(kind) for place, kind in enumerate(types)
    ]
    return pa.RecordBatch.from_arrays(columns, ["customer_id", "segment"])


@settings(deadline=None)
@given(MEMBERS, st.integers(0, 40), st.integers(0, 5))
def test_the_digest_is_that_of_the_sorted_lines_however_they_are_cut(
    members: dict[str, str], cut: int, skip: int
) -> None:
    whole = batch(members)
    padded = pa.concat_batches([batch({f"pad{place}": "x" for place in range(skip)}), whole])
    sliced = padded.slice(skip)  # a slice shares its parent's memory and begins in the middle of it
    assert member_digest([sliced.slice(0, cut), sliced.slice(cut)]) == naive(members)


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_the_digest_does_not_depend_on_how_arrow_holds_text(kind: pa.DataType) -> None:
    members = {"1": "a", "2": "b", "10": "a"}
    assert member_digest([batch(members, (kind, kind))]) == naive(members)


def test_no_members_have_the_digest_of_nothing() -> None:
    assert member_digest([]) == hashlib.sha256(b"").hexdigest()


def test_members_out_of_order_within_or_across_batches_are_refused() -> None:
    low, high = batch({"a": "x"}), batch({"b": "x"})
    with pytest.raises(SnapshotError, match="unordered"):
        member_digest([high, low])
    with pytest.raises(SnapshotError, match="unordered"):
        member_digest([pa.concat_batches([high, low])])


def test_a_member_without_a_segment_is_refused() -> None:
    with pytest.raises(SnapshotError, match="null_member"):
        member_digest(
            [pa.RecordBatch.from_pydict({"customer_id": ["a"], "segment": pa.array([None], pa.string())})]
        )


@pytest.mark.parametrize("names", [("rfm-00000", "rfm-00001"), ("part-00000", "part-00001")])
def test_scheme_digests_are_equal_for_sorted_unsorted_and_mixed_files(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    def rows(scheme: str, members: dict[str, str]) -> list[dict[str, object]]:
        return [
            {"customer_id": one, "scheme": scheme, "segment": segment} for one, segment in members.items()
        ]

    rfm, other = {"c": "y", "a": "x", "b": "y"}, {"z": "q", "b": "q"}
    write(tmp_path, rows("rfm", {"c": "y"}), ASSIGNMENT, names[0])
    more = rows("other", other) if names[0].startswith("part") else []
    write(tmp_path, rows("rfm", {"b": "y", "a": "x"}) + more, ASSIGNMENT, names[1])
    if not more:
        write(tmp_path, rows("other", other), ASSIGNMENT, "other-00000")
    files = sorted(tmp_path.glob("*.parquet"))
    assert scheme_digests(files) == {"rfm": naive(rfm), "other": naive(other)}
    assert scheme_digests(files, {"rfm": "known"}) == {"rfm": "known", "other": naive(other)}


def test_files_without_statistics_are_digested_all_the_same(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([{"customer_id": "a", "scheme": "rfm", "segment": "x"}], ASSIGNMENT)
    pq.write_table(table, tmp_path / "rfm-00000.parquet", write_statistics=False)
    assert scheme_digests([tmp_path / "rfm-00000.parquet"]) == {"rfm": naive({"a": "x"})}


def test_a_file_record_is_its_size_and_sha256(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"kequn" * 1000)
    record = file_record(tmp_path / "f")
    assert (record.bytes, record.sha256) == (5000, hashlib.sha256(b"kequn" * 1000).hexdigest())
