"""Writes the reference pages from the declarations they describe: data dictionary, features, schemes, in both languages.

    python scripts/reference_docs.py            write docs/reference/ and docs/zh/reference/

`tests/house/test_reference.py` fails when a page says something else than the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from kequn.data.standard import MODELS, SHAPES, TABLES, Column, Table
from kequn.i18n import packaged_yaml, title
from kequn.profile.declaration import FeatureDeclaration, all_declarations
from kequn.scheme.library import texts

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDERS = {"en": DOCS / "reference", "zh": DOCS / "zh" / "reference"}
WORDS = {
    "made": {
        "zh": "本页由 scripts/reference_docs.py 根据声明生成，请不要手改。",
        "en": "Made by scripts/reference_docs.py from the declarations; don't edit it by hand.",
    },
    "column": {"zh": "列", "en": "column"},
    "name": {"zh": "名称", "en": "name"},
    "type": {"zh": "类型", "en": "type"},
    "what": {"zh": "含义", "en": "what it is"},
    "remarks": {"zh": "说明", "en": "remarks"},
    "key": {"zh": "主键", "en": "key"},
    "required": {"zh": "必需", "en": "required"},
    "personal": {"zh": "个人信息", "en": "personal"},
    "sensitive": {"zh": "敏感信息", "en": "sensitive"},
    "derived": {"zh": "由系统算出", "en": "computed by Kequn"},
    "checked": {"zh": "只核对，不保存", "en": "checked, not kept"},
    "unit": {"zh": "单位", "en": "unit"},
    "from": {"zh": "来自", "en": "from"},
    "segment": {"zh": "客户群", "en": "segment"},
    "action": {"zh": "默认动作", "en": "default action"},
    "purpose": {"zh": "用途", "en": "purpose"},
    "limits": {"zh": "局限", "en": "limits"},
    "other": {"zh": "其他", "en": "other"},
}
MODEL_TITLES = {
    "demographic": {"zh": "人口细分", "en": "Demographic"},
    "behavioural": {"zh": "行为细分", "en": "Behavioural"},
    "geographic": {"zh": "地理细分", "en": "Geographic"},
    "psychographic": {"zh": "心理细分", "en": "Psychographic"},
    "technographic": {"zh": "技术细分", "en": "Technographic"},
    "firmographic": {"zh": "公司细分", "en": "Firmographic"},
    "transactional": {"zh": "交易细分", "en": "Transactional"},
}


def word(name: str, lang: str) -> str:
    return WORDS[name][lang]


def cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def rows(head: Sequence[str], body: Iterable[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(cell(one) for one in line) + " |" for line in body),
        "",
    ]


def page(headline: Mapping[str, str], intro: Mapping[str, str], lang: str, body: Iterable[str]) -> str:
    lines = [f"# {headline[lang]}", "", intro[lang], "", f"*{word('made', lang)}*", "", *body]
    return "\n".join(lines).rstrip() + "\n"


def data_dictionary(lang: str) -> str:
    """Every table and column of the customer data standard."""
    body: list[str] = []
    for table in (*TABLES.values(), *SHAPES.values()):
        body += [f"## `{table.name}` {title(dict(table.title), lang)}", "", _about(table, lang), ""]
        head = [word(name, lang) for name in ("column", "type", "what", "remarks")]
        columns = table.columns.values()
        body += rows(
            head, ([f"`{c.name}`", c.type, title(dict(c.title), lang), _remarks(c, lang)] for c in columns)
        )
    return page(
        {"zh": "数据字典", "en": "Data dictionary"},
        {
            "zh": "客户数据标准里的每一张表、每一列。来源怎样对应到这些列，见[数据接入](../data.md)。",
            "en": "Every table and column of the customer data standard. [Data](../data.md) says how sources are mapped to them.",
        },
        lang,
        body,
    )  # fmt: skip


def _about(table: Table, lang: str) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    return f"{title(dict(table.grain), lang)}" + (f" · {word('key', lang)}: {key}" if key else "")


def _remarks(column: Column, lang: str) -> str:
    said = [word("required", lang)] if column.required else []
    said += [word(column.role, lang)] if column.role != "given" else []
    said += [word(column.privacy, lang)] if column.privacy != "none" else []
    said += [f"{word('unit', lang)} {column.unit}"] if column.unit else []
    if column.values:
        said.append(", ".join(f"`{value.name}` {value.title[lang]}" for value in column.values))
    return "; ".join(said)


def features(lang: str) -> str:
    """Every feature of the shipped library, by model."""
    _, declared = all_declarations()
    first: dict[str, FeatureDeclaration] = {}
    for feature in declared:
        if not feature.name.startswith("_"):
            first.setdefault(feature.name, feature)
    body: list[str] = []
    for model in (*MODELS, None):
        own = [one for one in first.values() if one.model == model]
        if own:
            heading = title(MODEL_TITLES[model], lang) if model else word("other", lang)
            body += [f"## {heading}", ""]
            head = [word(name, lang) for name in ("name", "what", "unit", "from")]
            lines = (
                [f"`{f.name}`", title(f.title, lang) or f.name, f.unit or "", f"`{f.source}`"] for f in own
            )
            body += rows(head, lines)
    return page(
        {"zh": "内置画像特征", "en": "Built-in features"},
        {
            "zh": "画像里可以有的每一列；有没有取决于数据。自己加特征见[画像特征](../features.md)。",
            "en": "Every column a profile may have; which ones it has depends on the data. [Features](../features.md) says how to add your own.",
        },
        lang,
        body,
    )  # fmt: skip


def schemes(lang: str) -> str:
    """Every scheme of the shipped library with its segments and default actions."""
    body: list[str] = []
    for file, text in texts().items():
        if file.count(".") > 1:  # an alternative for other data, with the same segments
            continue
        spec = packaged_yaml(text)
        about = [f"`{spec['kind']}`", title(MODEL_TITLES[spec["model"]], lang)]
        body += [f"## `{spec['scheme']}` {title(spec['title'], lang)}", "", " · ".join(about), ""]
        body += [
            line
            for key in ("purpose", "limits")
            if key in spec
            for line in (f"{word(key, lang)}: {title(spec[key], lang)}", "")
        ]
        named = [one for one in (*spec.get("segments", ()), spec.get("otherwise")) if one and "title" in one]
        head = [word(key, lang) for key in ("segment", "what", "action")]
        lines = (
            [f"`{s['id']}`", title(s["title"], lang), title(s.get("playbook") or "", lang)] for s in named
        )
        body += rows(head, lines) if named else []
    return page(
        {"zh": "内置细分方案", "en": "Built-in schemes"},
        {
            "zh": "随系统提供的细分方案、客户群和默认动作。`kequn init` 会把数据允许的方案复制到 schemes/，都可以改，写法见[方案与名单](../schemes.md)。",
            "en": "The schemes that ship with Kequn, their segments and default actions. `kequn init` copies those the data allow into "
            "schemes/, where everything can be changed: see [Schemes](../schemes.md).",
        },
        lang,
        body,
    )  # fmt: skip


PAGES: Mapping[str, Callable[[str], str]] = {
    "data-dictionary.md": data_dictionary,
    "features.md": features,
    "schemes.md": schemes,
}


def main() -> None:
    for lang, folder in FOLDERS.items():
        folder.mkdir(parents=True, exist_ok=True)
        for name, make in PAGES.items():
            (folder / name).write_text(make(lang), encoding="utf-8")


if __name__ == "__main__":
    main()
