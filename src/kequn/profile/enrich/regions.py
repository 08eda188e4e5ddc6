"""China's provinces, cities and districts: what people wrote as province, city, district or address, matched to codes.

Names match exactly, without their suffix (深圳 for 深圳市, 广西 for 广西壮族自治区), or as the beginning of an address. A name that
several places share is matched only where the words around it say which. The list ships with Kequn (data/regions, WTFPL).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

PEOPLES = (
    "壮族|回族|维吾尔|藏族|蒙古族|蒙古|苗族|土家族|侗族|布依族|彝族|哈尼族|傣族|白族|景颇族|傈僳族|朝鲜族|羌族|哈萨克|柯尔克孜|哈萨克族|"
    "柯尔克孜族|瑶族|满族|黎族|畲族|仫佬族|毛南族|水族|仡佬族|纳西族|拉祜族|佤族|布朗族|普米族|怒族|独龙族|撒拉族|土族|保安族|东乡族|裕固族|塔吉克|锡伯|达斡尔族|各族"
)
AUTONOMOUS = re.compile(rf"(?:{PEOPLES})*(?:自治区|自治州|自治县|自治旗)$")
PROVINCE_END = re.compile(r"(?:省|市|特别行政区)$")
CITY_END = re.compile(r"(?:市|地区|盟|林区)$")
AREA_END = re.compile(r"(?:新区|市|区|县|旗)$")
COLLECTIVE = ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划")
FURTHER = {"71": "台湾省", "81": "香港特别行政区", "82": "澳门特别行政区"}
GREAT_REGIONS = {
    "1": "north", "2": "northeast", "3": "east", "41": "central", "42": "central", "43": "central", "44": "south", "45": "south",
    "46": "south", "5": "southwest", "6": "northwest", "7": "hk_mo_tw", "8": "hk_mo_tw",
}  # fmt: skip


@dataclass(frozen=True)
class Region:
    """A place with its code (2, 4 or 6 digits) and full name; `under` is the code of the place above."""

    code: str
    name: str
    under: str = ""


@dataclass(frozen=True)
class Match:
    """What was found. `level`: district, city, province, conflict (city lies elsewhere than the province), unmatched, missing."""

    level: str
    province: str | None = None
    city: str | None = None
    district: str | None = None
    code: str | None = None


def short_name(name: str, end: re.Pattern[str]) -> str:
    """The name without its suffix, as people say it; the name itself where less than two characters would be left.

    >>> short_name("恩施土家族苗族自治州", CITY_END), short_name("深圳市", CITY_END), short_name("赵县", AREA_END)
    ('恩施', '深圳', '赵县')
    """
    without = AUTONOMOUS.sub("", name)
    if len(without) < 2:  # 内蒙古自治区
        without = name.removesuffix("自治区")
    shorter = without if without != name else end.sub("", name)
    return shorter if len(shorter) >= 2 else name


def great_region(code: str) -> str:
    """The great region (大区) that a code lies in: north, northeast, east, central, south, southwest, northwest, hk_mo_tw."""
    return GREAT_REGIONS.get(code[:2]) or GREAT_REGIONS[code[0]]


@dataclass
class Gazetteer:
    """All places by code, and the names each may go by."""

    places: dict[str, Region] = field(default_factory=dict)
    provinces: dict[str, str] = field(default_factory=dict)
    cities: dict[str, list[str]] = field(default_factory=dict)
    areas: dict[str, list[str]] = field(default_factory=dict)
    _seen: dict[tuple[str | None, ...], Match] = field(default_factory=dict, repr=False)

    def add(self, region: Region) -> None:
        """Know a place."""
        self.places[region.code] = region
        if len(region.code) == 2:
            for name in {region.name, short_name(region.name, PROVINCE_END)}:
                self.provinces[name] = region.code
        else:
            names, end = (self.cities, CITY_END) if len(region.code) == 4 else (self.areas, AREA_END)
            for name in {region.name, short_name(region.name, end)}:
                names.setdefault(name, []).append(region.code)

    def match(
        self, province: str | None, city: str | None, district: str | None, address: str | None
    ) -> Match:
        """The most exact place that the words allow."""
        given = (_clean(province), _clean(city), _clean(district))
        if not any(given):
            return self.read_address(_clean(address) or "")
        if given not in self._seen:
            self._seen[given] = self._named(*given)
        found = self._seen[given]
        if found.level in ("unmatched", "province") and address:
            read = self.read_address(_clean(address) or "")
            if read.code and (found.code is None or read.code.startswith(found.code)):
                return read
        return found

    def _named(self, province: str | None, city: str | None, district: str | None) -> Match:
        top = self.provinces.get(province or "")
        if top is None and province:
            read = self.read_address(province + (city or "") + (district or ""))
            if read.code:
                return read
            if city is None:
                return Match("unmatched")
        if top is None and city and city in self.provinces:  # 北京市 written as a city
            top = self.provinces[city]
        code = self._city(city, top)
        if code is None and top is None:
            return self._only(self.areas, district) or Match("unmatched")
        if code is None and city and self._city(city, None):
            return self._found(str(top), "conflict")
        inside = self._under(district, code or str(top))
        return self._found(inside or code or str(top))

    def _city(self, city: str | None, top: str | None) -> str | None:
        if not city:
            return None
        found = [code for code in self.cities.get(city, []) if top is None or code.startswith(top)]
        found = found or [code for code in self.areas.get(city, []) if top is None or code.startswith(top)]
        exact = [code for code in found if self.places[code].name == city]
        found = exact or found
        if len(found) == 1:
            return found[0]
        if top and city in (self.places[top].name, short_name(self.places[top].name, PROVINCE_END)):
            return top
        return None

    def _only(self, names: dict[str, list[str]], name: str | None) -> Match | None:
        codes = names.get(name or "", [])
        return self._found(codes[0]) if len(codes) == 1 else None

    def _under(self, name: str | None, top: str) -> str | None:
        found = [code for code in self.areas.get(name or "", []) if code.startswith(top)]
        exact = [code for code in found if self.places[code].name == name]
        return (exact or found)[0] if len(exact or found) == 1 else None

    def read_address(self, text: str) -> Match:
        """The place that an address begins with."""
        if not text:
            return Match("missing")
        text = text.removeprefix("中国")
        province, rest = self._head(text, self.provinces)
        top = self.provinces.get(province, "")
        rest = rest if province else text
        city, behind = self._head(rest, self.cities)
        codes = [code for code in self.cities.get(city, []) if code.startswith(top)]
        if len(codes) == 1 and (province or self._sure(city, codes[0], behind)):
            return self._found(self._head_under(behind, codes[0]) or codes[0])
        if not province:
            return Match("unmatched")
        return self._found(self._head_under(rest.removeprefix(province), top) or top)

    def _sure(self, city: str, code: str, behind: str) -> bool:
        """A city without its suffix counts only before one of its districts: 长春路 is a street."""
        return self.places[code].name == city or self._head_under(behind, code) is not None

    def _head_under(self, text: str, top: str) -> str | None:
        for size in range(min(len(text), 12), 1, -1):
            found = self._under(text[:size], top)
            if found and (self.places[found].name == text[:size] or len(text) == size):
                return found
        return None

    @staticmethod
    def _head(text: str, names: Iterable[str]) -> tuple[str, str]:
        for size in range(min(len(text), 14), 1, -1):
            if text[:size] in names:
                return text[:size], text[size:]
        return "", text

    def _found(self, code: str, level: str | None = None) -> Match:
        province = self.places[code[:2]].name
        municipal = province.endswith("市") or code[:2] in FURTHER
        city = (
            self.places[code[:4]].name
            if len(code) >= 4 and code[:4] in self.places
            else province
            if municipal
            else None
        )
        district = self.places[code].name if len(code) == 6 else None
        if len(code) == 6 and code[:4] not in self.places:
            city = province if municipal else district
        return Match(
            level or {2: "province", 4: "city", 6: "district"}[len(code)], province, city, district, code
        )


def _clean(text: str | None) -> str | None:
    stripped = re.sub(r"\s+", "", text) if text else ""
    return stripped or None


@cache
def gazetteer() -> Gazetteer:
    """The places that ship with Kequn."""
    folder = resources.files("kequn.data").joinpath("regions")
    found = Gazetteer()
    for name in ("provinces.csv", "cities.csv", "areas.csv"):
        for row in csv.DictReader(folder.joinpath(name).read_text(encoding="utf-8").splitlines()):
            if row["name"] not in COLLECTIVE:
                found.add(Region(row["code"], row["name"], row["code"][:-2]))
    for code, name in FURTHER.items():
        found.add(Region(code, name))
    return found


__all__ = ["GREAT_REGIONS", "Gazetteer", "Match", "Region", "gazetteer", "great_region", "short_name"]
