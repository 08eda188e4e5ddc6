"""What people search for, as categories: the longest name of a category, subcategory, brand or product in the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kequn.language import portable
from kequn.profile.enrich.tables import Enriched, Facts, Job, has

MOST_CHARACTERS = 100
LEAST_CHARACTERS = 2
DISTINCT = portable(
    f"SELECT SUBSTRING(search_text, 1, {MOST_CHARACTERS}) AS search FROM events WHERE search_text IS NOT NULL "
    f"GROUP BY SUBSTRING(search_text, 1, {MOST_CHARACTERS})"
)
NAMES = portable(
    "SELECT category, subcategory, brand, name FROM products WHERE category IS NOT NULL GROUP BY category, subcategory, brand, name"
)


def enrich_searches(job: Job) -> Enriched:
    """One row per distinct search text with the category it speaks of. Delivered, perhaps empty, wherever views or searches are."""
    import pyarrow as pa

    if not search_columns(job.facts):
        return Enriched()
    texts = sorted(job.engine.sql(DISTINCT).column(0).to_pylist()) if job.has("events.search_text") else []
    words = category_words(job.engine.rows(NAMES)) if texts else {}
    longest = max(map(len, words), default=0)
    found = [(text, category_of(text, words, longest)) for text in texts]
    kept = [(text, category) for text, category in found if category]
    schema = pa.schema([("search", pa.string()), ("category", pa.string())])
    table = pa.Table.from_pylist(
        [{"search": text, "category": category} for text, category in kept], schema=schema
    )
    report = {"searches": {"distinct": len(texts), "understood": len(kept)}}
    return Enriched({"enriched_search": job.write("enriched_search", table)}, report=report)


def category_words(rows: Sequence[Mapping[str, str | None]]) -> dict[str, str]:
    """Word to category. A word that stands for several categories tells nothing and is left out."""
    owners: dict[str, set[str]] = {}
    for row in rows:
        for word in (row["category"], row["subcategory"], row["brand"], row["name"]):
            if word and len(word.strip()) >= LEAST_CHARACTERS:
                owners.setdefault(word.strip().lower(), set()).add(str(row["category"]))
    return {word: next(iter(categories)) for word, categories in owners.items() if len(categories) == 1}


def category_of(text: str, words: Mapping[str, str], longest: int) -> str | None:
    """The category of the longest known word in `text`; of equally long ones the first that occurs."""
    lowered = text.lower()
    for size in range(min(longest, len(lowered)), LEAST_CHARACTERS - 1, -1):
        for start in range(len(lowered) - size + 1):
            category = words.get(lowered[start : start + size])
            if category:
                return category
    return None


def search_columns(facts: Facts) -> list[str]:
    """The columns of `enriched_search` that the facts allow."""
    return ["search", "category"] if has(facts, "events", "products.category") else []


__all__ = ["category_of", "category_words", "enrich_searches", "search_columns"]
