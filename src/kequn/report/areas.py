"""Customers per province on a tile map: one tile a province, about where it lies."""

from __future__ import annotations

from typing import Any

from kequn.report.source import Source, share

LEAST_PROVINCES = 4
"""With fewer there is nothing to see on a map."""
TILES = {
    "23": (8, 0, "黑龙江", "Heilongjiang"), "15": (6, 1, "内蒙古", "Inner Mongolia"), "22": (8, 1, "吉林", "Jilin"),
    "65": (2, 2, "新疆", "Xinjiang"), "62": (3, 2, "甘肃", "Gansu"), "64": (4, 2, "宁夏", "Ningxia"), "14": (5, 2, "山西", "Shanxi"),
    "11": (6, 2, "北京", "Beijing"), "12": (7, 2, "天津", "Tianjin"), "21": (8, 2, "辽宁", "Liaoning"),
    "54": (2, 3, "西藏", "Tibet"), "63": (3, 3, "青海", "Qinghai"), "61": (4, 3, "陕西", "Shaanxi"), "41": (5, 3, "河南", "Henan"),
    "13": (6, 3, "河北", "Hebei"), "37": (7, 3, "山东", "Shandong"),
    "51": (3, 4, "四川", "Sichuan"), "50": (4, 4, "重庆", "Chongqing"), "42": (5, 4, "湖北", "Hubei"), "34": (6, 4, "安徽", "Anhui"),
    "32": (7, 4, "江苏", "Jiangsu"), "31": (8, 4, "上海", "Shanghai"),
    "53": (3, 5, "云南", "Yunnan"), "52": (4, 5, "贵州", "Guizhou"), "43": (5, 5, "湖南", "Hunan"), "36": (6, 5, "江西", "Jiangxi"),
    "33": (7, 5, "浙江", "Zhejiang"),
    "45": (4, 6, "广西", "Guangxi"), "44": (5, 6, "广东", "Guangdong"), "35": (6, 6, "福建", "Fujian"), "71": (7, 6, "台湾", "Taiwan"),
    "46": (4, 7, "海南", "Hainan"), "82": (5, 7, "澳门", "Macao"), "81": (6, 7, "香港", "Hong Kong"),
}  # fmt: skip
"""Code of a province → column, row (from the north), names."""


def areas(source: Source) -> dict[str, Any] | None:
    """Customers and revenue by province, with the place of each tile; None where too few provinces are known."""
    names = source.columns("profile")
    if "region_code" not in names:
        return None
    money = next((name for name in ("revenue_12m", "monetary") if name in names), None)
    counted = source.rows(
        f"SELECT substr(region_code, 1, 2) AS code, count(*) AS customers, {f'sum({money})' if money else 'NULL'} AS revenue "
        "FROM profile WHERE region_code IS NOT NULL GROUP BY ALL"
    )
    by_code = {row["code"]: row for row in counted if row["code"] in TILES}
    if len(by_code) < LEAST_PROVINCES:
        return None
    rows = max(tile[1] for tile in TILES.values())
    known = sum(row["customers"] for row in by_code.values())
    whole = source.rows("SELECT count(*) AS n FROM profile")[0]["n"]
    tiles = [
        {
            "x": x - 2, "y": rows - y, "title": {"zh": zh, "en": en}, "customers": by_code.get(code, {}).get("customers", 0),
            "revenue": by_code.get(code, {}).get("revenue"), "share": share(by_code.get(code, {}).get("customers", 0), known),
        }
        for code, (x, y, zh, en) in TILES.items()
    ]  # fmt: skip
    return {"tiles": tiles, "columns": 7, "rows": rows + 1, "known": known, "unknown": whole - known}


__all__ = ["areas"]
