"""
Where the fields of a file stand, for the messages about them.

A second reading, done for files with a problem only; `documents` has found the text to be YAML.
"""

import re
from collections.abc import Iterator

import yaml


class Lines:
    """Where the fields of one text stand. Builds the tree of nodes that `read_documents` avoids."""

    def __init__(self, text: str) -> None:
        self._documents: list[yaml.Node | None] = list(yaml.compose_all(text, Loader=_Composer))

    def line(self, document: int, path: str) -> int:
        """Return the line of a field, or of the nearest part above it that is there."""
        node = self._documents[document]
        line = 1
        for step in ("", *_steps(path)):
            if step:
                node = _child(node, step)
            if node is None:
                break
            line = node.start_mark.line + 1
        return line


class _Composer(yaml.CSafeLoader):
    """Leaves scalars unresolved: their lines are all that is wanted."""

    def resolve(self, *_: object) -> str:
        return ""


_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def _steps(path: str) -> Iterator[str]:
    """`spec.ports[2]` to spec, ports, 2."""
    for match in _STEP.finditer(path):
        yield match[1] or match[2]


def _child(node: yaml.Node | None, step: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
        child: yaml.Node = node.value[int(step)]
        return child
    return None
