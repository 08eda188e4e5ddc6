"""What fitting one scheme gave: the model as stored, the groups with their words, and how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kequn.errors import KequnError
from kequn.scheme.clusters.encoding import Encoding, Feature, rows_of
from kequn.scheme.clusters.identity import Link
from kequn.scheme.clusters.scoring import Scorer
from kequn.scheme.spec import SegmentSpec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Model:
    """Everything that assigning a customer needs, without fitting anew. `ids` are the groups in the scorer's order."""

    features: tuple[Feature, ...]
    encoding: Encoding
    scorer: Scorer | None
    ids: tuple[str, ...]

    def label(self, batch: pa.RecordBatch, column: str) -> pa.RecordBatch:
        """customer_id and group of each row; the batch has the features in the engine's units."""
        import numpy as np
        import pyarrow as pa

        rows = rows_of(batch, self.features)
        if self.scorer is None:
            places = np.zeros(len(rows), dtype=np.int64)
        else:
            places = self.scorer.labels(self.encoding, self.encoding.encode(rows))
        groups = pa.array(self.ids, pa.string()).take(pa.array(places))
        return pa.RecordBatch.from_arrays([rows.ids, groups], names=["customer_id", column])

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `Model.from_json` reads back."""
        return {
            "features": [
                {"name": each.name, "type": each.type, "title": dict(each.title), "scale": each.scale}
                for each in self.features
            ],
            "encoding": self.encoding.as_json(),
            "scorer": self.scorer.as_json() if self.scorer else None,
            "ids": list(self.ids),
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> Model:
        """The model that a run stored."""
        return Model(
            tuple(Feature(**each) for each in stored["features"]),
            Encoding.from_json(stored["encoding"]),
            Scorer.from_json(stored["scorer"]) if stored["scorer"] else None,
            tuple(stored["ids"]),
        )


@dataclass(frozen=True)
class ClusterResult:
    """One scheme. `relation` is a view of customer_id and `column` (the group) for everybody in scope.

    `segments` are the groups as a scheme shows them; `manifest` is plain JSON for the run's manifest.
    """

    scheme: str
    relation: str
    column: str
    segments: tuple[SegmentSpec, ...]
    model: Model
    lineage: tuple[Link, ...]
    manifest: Mapping[str, Any]
    warnings: tuple[KequnError, ...] = ()


__all__ = ["ClusterResult", "Model"]
