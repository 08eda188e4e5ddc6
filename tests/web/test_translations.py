"""Every Chinese sentence of the workbench has its English one."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import kequn.web

ROOT = Path(kequn.web.__file__).parent
SCRIPT = Path(__file__).resolve().parents[2] / "scripts/web_messages.py"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    pytest.importorskip("polib")
    spec = spec_from_file_location("web_messages", SCRIPT)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_english_catalogue_is_complete_and_compiled(messages: ModuleType) -> None:
    assert messages.problems() == []


def test_a_missing_translation_would_be_noticed(
    messages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.html").write_text(
        '{% trans "从未翻译" %}{% blocktrans with a=b %}共 {{ a }} 个{% endblocktrans %}', encoding="utf-8"
    )
    (tmp_path / "new.py").write_text("x = _('也没有')", encoding="utf-8")
    found = {words for words, _ in messages.collect(tmp_path)}
    assert found == {"从未翻译", "共 %(a)s 个", "也没有"}


def test_no_english_sentence_contains_chinese(messages: ModuleType) -> None:
    import polib

    for entry in polib.pofile(str(messages.CATALOGUE)):
        assert not CHINESE.search(entry.msgstr), entry.msgid


@pytest.mark.parametrize(
    "template", sorted(ROOT.rglob("*.html")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_chinese_stands_in_a_template_outside_a_translation(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    bare = re.sub(r"{%\s*blocktrans.*?endblocktrans\s*%}|{%.*?%}|{#.*?#}", "", text, flags=re.S)
    assert not CHINESE.findall(bare.replace("中文", ""))  # a language is named in itself
