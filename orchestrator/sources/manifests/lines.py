"""Where the fields of a file stand, for the messages about them.

A second reading, done for files with a problem only; `documents` has found the text to be YAML.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

import yaml


class Lines:
    """Where the fields of one text stand. Builds the tree of nodes that `read_documents` avoids."""

    def __init__(self, text: str) -> None:
        self._documents = list(_compose(text))

    def line(self, document: int, path: str) -> int:
        """Return the line of a field's key, or of the nearest part above it that is there."""
        node = self._documents[document] if document < len(self._documents) else None
        line = node.start_mark.line if node is not None else 0
        for step in _steps(path):
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line + 1


def _compose(text: str) -> Iterator[yaml.Node | None]:
    """The trees of the documents, up to one that composing refuses though reading does not (an anchor set twice)."""
    documents = yaml.compose_all(text, Loader=_Composer)
    with suppress(yaml.YAMLError):
        yield from documents


class _Composer(yaml.CSafeLoader):
    """Leaves scalars unresolved: their lines are all that is wanted."""

    def resolve(self, *_: object) -> str:
        return ""


_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def _steps(path: str) -> Iterator[str]:
    """`spec.ports[2]` to spec, ports, 2."""
    for match in _STEP.finditer(path):
        yield match[1] or match[2]


def _child(node: yaml.Node | None, step: str) -> tuple[int, yaml.Node] | None:
    """The line of a key or entry, from 0, and the value there."""
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark.line, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
        child = node.value[int(step)]
        return child.start_mark.line, child
    return None
