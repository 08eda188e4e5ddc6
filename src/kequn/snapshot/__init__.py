"""Immutable results of a run: write, publish, read, compare, roll back, prune, forget."""

from kequn.snapshot.cards import Cards, build_cards
from kequn.snapshot.comparison import Comparison, SchemeChange, compare, migration_table
from kequn.snapshot.digest import member_digest, scheme_digests
from kequn.snapshot.forgetting import Erasure
from kequn.snapshot.manifest import DefinitionUse, FactUse, FileRecord, Forgotten, Manifest, new_run_id
from kequn.snapshot.reader import Snapshot, Verification
from kequn.snapshot.serving import SAMPLE_SHARE, ServingSettings, build_serving
from kequn.snapshot.store import Draft, SnapshotStore

__all__ = [
    "SAMPLE_SHARE",
    "Cards",
    "Comparison",
    "DefinitionUse",
    "Draft",
    "Erasure",
    "FactUse",
    "FileRecord",
    "Forgotten",
    "Manifest",
    "SchemeChange",
    "ServingSettings",
    "Snapshot",
    "SnapshotStore",
    "Verification",
    "build_cards",
    "build_serving",
    "compare",
    "member_digest",
    "migration_table",
    "new_run_id",
    "scheme_digests",
]
