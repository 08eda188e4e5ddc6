"""The manifest of a small run, with the words that pages need."""

from __future__ import annotations

import json
from pathlib import Path


def describe(folder: Path) -> Path:
    """Name the columns and the scheme of the run in `folder`; returns `folder`."""
    file = folder / "manifest.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    said |= {
        "columns": [
            {"name": "customer_id", "type": "text", "title": {"zh": "客户编号", "en": "Customer id"}, "privacy": "personal"},
            {"name": "name", "type": "text", "title": {"zh": "姓名", "en": "Name"}, "privacy": "personal"},
            {"name": "phone", "type": "text", "title": {"zh": "电话", "en": "Phone"}, "privacy": "personal"},
            {"name": "account_manager", "type": "text", "title": {"zh": "客户经理", "en": "Account manager"}, "privacy": "none"},
            {
                "name": "recency_days", "type": "integer", "title": {"zh": "最近消费距今", "en": "Recency"}, "unit": "days",
                "model": "transactional", "privacy": "none",
            },
        ],
        "schemes": {
            "rfm": {
                "scheme": "rfm", "kind": "grid", "title": {"zh": "RFM 分群", "en": "RFM groups"},
                "segments": {"champions": 10, "regular": 30},
                "segment_titles": {"champions": {"zh": "重要价值客户", "en": "Champions"}, "regular": {"zh": "其他", "en": "Others"}},
            }
        },
    }  # fmt: skip
    file.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    return folder
