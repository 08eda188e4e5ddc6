"""The nodes of a YAML 1.2 text, each with its place: by libyaml where it can't differ from ruamel, else by ruamel itself.

libyaml is twenty times faster but reads YAML 1.1. What the versions write differently is therefore left to ruamel, and so is every
text that libyaml refuses: ruamel has the last word on what is wrong, and where.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ruamel.yaml import YAML

CAREFUL = re.compile(
    r"""(?:^|[\s\[{,:?-])(?:!|[&*%]\S)      # tags, anchors, aliases, directives
    |<<|[\t\x85\u2028\u2029\ufeff]          # merges, and what is white space in one version only
    |["'\]}]\s*:\S|[\[{,]\s*[:?]            # keys and values without a space between them
    |[|>][-+0-9]*(?:\s*\#|[ ]*[\r\n]\s*\n)  # a comment or an empty line where a block of text begins
    """,
    re.MULTILINE | re.VERBOSE,
)
"""Where the two parsers may read differently."""
TEXT = "tag:yaml.org,2002:str"


def compose(text: str, careful: YAML) -> Any:
    """The root node of `text`, None when it is empty. Raises what ruamel raises for a text that is no sound YAML."""
    import yaml

    quick = quick_loader()
    if quick is not None and not CAREFUL.search(text):
        try:
            return quick(text).get_single_node()
        except (yaml.YAMLError, ValueError):  # half a surrogate pair is a ValueError
            pass
    return careful.compose(text)


def scalar(node: Any, careful: YAML) -> Any:
    """The value of a scalar node of either parser, as YAML 1.2 understands it. Raises ValueError, OverflowError or KeyError."""
    from ruamel.yaml.nodes import ScalarNode

    if node.tag == TEXT:
        return node.value
    if not isinstance(node, ScalarNode):
        node = ScalarNode(node.tag, node.value, node.start_mark, node.end_mark, style=node.style)
    return careful.constructor.construct_object(node)


@cache
def quick_loader() -> Any:
    """libyaml's parser with ruamel's idea of what a plain word means; None where PyYAML came without libyaml."""
    import yaml

    if not yaml.__with_libyaml__:
        return None
    from ruamel.yaml.resolver import implicit_resolvers
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
    from yaml.resolver import BaseResolver

    class Loader(CParser, BaseResolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            BaseResolver.__init__(self)

    for versions, tag, pattern, first in implicit_resolvers:
        if (1, 2) in versions:
            Loader.add_implicit_resolver(tag, pattern, first)
    return Loader


__all__ = ["CAREFUL", "compose", "quick_loader", "scalar"]
