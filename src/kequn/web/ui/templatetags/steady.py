"""The tags `trans`, `static` and `url`, worked out once per process where only the language can change what they say.

They replace Django's own of the same names: a page holds a hundred of them, a third of the time it takes to draw.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.template.base import FilterExpression, Node, Parser, Token, Variable
from django.template.context import Context
from django.template.defaulttags import url as any_url
from django.templatetags.i18n import do_translate
from django.templatetags.static import do_static
from django.urls import get_script_prefix
from django.utils.translation import get_language

register = template.Library()


class Steady(Node):
    """A tag whose text depends on the language alone."""

    child_nodelists = ()

    def __init__(self, node: Node) -> None:
        self._node = node
        self._said: dict[str | None, str] = {}

    def render(self, context: Context) -> str:
        if not at_root():
            return self._node.render(context)
        language = get_language()
        found = self._said.get(language)
        if found is None:
            found = self._said[language] = self._node.render(context)
        return found


def at_root() -> bool:
    """Whether addresses begin with `/`: a proxy may say otherwise, request by request, and then nothing is kept."""
    return get_script_prefix() == "/"


@register.tag("trans")
def trans(parser: Parser, token: Token) -> Node:
    """`{% trans "…" %}`."""
    node: Any = do_translate(parser, token)
    return _kept(node, node.filter_expression, node.message_context or node.asvar)


@register.tag("static")
def static(parser: Parser, token: Token) -> Node:
    """`{% static "…" %}`."""
    node: Any = do_static(parser, token)
    return _kept(node, node.path, node.varname)


@register.tag("url")
def url(parser: Parser, token: Token) -> Node:
    """`{% url "…" %}`; with arguments it is worked out each time."""
    node: Any = any_url(parser, token)
    return _kept(node, node.view_name, node.args or node.kwargs or node.asvar)


def _kept(node: Node, text: FilterExpression, otherwise: Any) -> Node:
    """The node, kept when its `text` stands in the template and there is nothing besides."""
    said = text.var.literal if isinstance(text.var, Variable) else text.var
    return Steady(node) if isinstance(said, str) and not text.filters and not otherwise else node
