"""Positions that can be believed, and the great-circle distance to the nearest of many places.

Places stand on the unit sphere in a k-d tree (scipy), where the nearest by chord is the nearest by great circle; the distance
itself is the haversine of the two positions on a sphere of 6,371.0088 km (mean radius, IUGG), rounded to the metre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EARTH_KM = 6371.0088
CHINA = (3.0, 54.5, 73.0, 136.0)
"""South, north, west, east: nothing Chinese lies outside."""
Floats = NDArray[np.float64]


def haversine_km(lat1: Floats, lon1: Floats, lat2: Floats, lon2: Floats) -> Floats:
    """Great-circle distance in km between positions in degrees.

    >>> float(haversine_km(*(np.array([v]) for v in (39.9042, 116.4074, 31.2304, 121.4737)))[0].round())
    1067.0
    """
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    across = np.sin((phi2 - phi1) / 2) ** 2
    along = np.cos(phi1) * np.cos(phi2) * np.sin(np.radians(lon2 - lon1) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(across + along, 0.0, 1.0))))


def on_sphere(lat: Floats, lon: Floats) -> Floats:
    """Positions in degrees as points of the unit sphere, one row each."""
    phi, theta = np.radians(lat), np.radians(lon)
    return np.column_stack((np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)))


def position_states(lat: Floats, lon: Floats, chinese: NDArray[np.bool_]) -> NDArray[np.object_]:
    """What each position is: ok, missing, half, not_a_number, zero, swapped, out_of_range, outside_country.

    NaN stands for NULL in `lat` and `lon`; `chinese` tells whose address says China.
    """
    state = np.full(len(lat), "ok", dtype=object)
    south, north, west, east = CHINA

    def inside(first: Floats, second: Floats) -> NDArray[np.bool_]:
        return np.asarray((first >= south) & (first <= north) & (second >= west) & (second <= east))

    with np.errstate(invalid="ignore"):
        state[chinese & ~inside(lat, lon)] = "outside_country"
        state[chinese & inside(lon, lat)] = "swapped"
        wide = (np.abs(lat) > 90) | (np.abs(lon) > 180)
        state[wide] = "out_of_range"
        state[wide & (np.abs(lon) <= 90) & (np.abs(lat) <= 180)] = "swapped"
        state[(np.abs(lat) < 1e-6) & (np.abs(lon) < 1e-6)] = "zero"
    state[np.isinf(lat) | np.isinf(lon)] = "not_a_number"
    state[np.isnan(lat) ^ np.isnan(lon)] = "half"
    state[np.isnan(lat) & np.isnan(lon)] = "missing"
    return state


@dataclass(frozen=True)
class Nearest:
    """Per position: distance in km (NaN without a position), index of the place (-1), places within the radius."""

    km: Floats
    index: NDArray[np.int64]
    near: NDArray[np.int64]


class Places:
    """Places to measure distances to. Of places at one position only the one with the smallest id is named, all are counted."""

    def __init__(self, ids: Sequence[str], lat: Floats, lon: Floats) -> None:
        from scipy.spatial import cKDTree

        order = sorted(range(len(ids)), key=lambda place: ids[place])
        self.ids = [ids[place] for place in order]
        self.lat, self.lon = lat[order], lon[order]
        self._tree: Any = cKDTree(on_sphere(self.lat, self.lon))
        first: dict[tuple[float, float], int] = {}
        keys = zip(self.lat.tolist(), self.lon.tolist(), strict=True)
        self._named = np.array(
            [first.setdefault(key, place) for place, key in enumerate(keys)], dtype=np.int64
        )

    def nearest(self, lat: Floats, lon: Floats, near_km: float) -> Nearest:
        """The nearest place of each position, and how many lie within `near_km`."""
        known = ~(np.isnan(lat) | np.isnan(lon))
        km = np.full(len(lat), np.nan)
        index = np.full(len(lat), -1, dtype=np.int64)
        near = np.zeros(len(lat), dtype=np.int64)
        if known.any() and self.ids:
            points = on_sphere(lat[known], lon[known])
            _, found = self._tree.query(points)
            found = self._named[found]
            km[known] = np.round(haversine_km(lat[known], lon[known], self.lat[found], self.lon[found]), 3)
            index[known] = found
            close = km[known] <= near_km + 0.001
            chord = 2 * np.sin(min(near_km / EARTH_KM, np.pi) / 2)
            counted = np.zeros(len(points), dtype=np.int64)
            if close.any():
                counted[close] = self._tree.query_ball_point(points[close], chord, return_length=True)
            near[known] = counted
        return Nearest(km, index, near)


def by_kind(rows: Sequence[Mapping[str, Any]]) -> dict[str, Places]:
    """Places of each kind, and all of them under "". Rows have place_id, kind, latitude, longitude."""
    kinds: dict[str, list[Mapping[str, Any]]] = {"": list(rows)}
    for row in rows:
        kinds.setdefault(str(row["kind"]), []).append(row)
    return {
        kind: Places(
            [str(row["place_id"]) for row in members],
            np.array([row["latitude"] for row in members], dtype=np.float64),
            np.array([row["longitude"] for row in members], dtype=np.float64),
        )
        for kind, members in kinds.items()
    }


__all__ = ["EARTH_KM", "Nearest", "Places", "by_kind", "haversine_km", "on_sphere", "position_states"]
