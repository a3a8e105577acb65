"""Text to documents: YAML and JSON as Kubernetes reads them, and the line of each field.

The values are built from libyaml's events, not by PyYAML's constructors: `65000:10` is text and no sexagesimal number,
dates are text, a key that stands twice is a fault. Lines of fields are looked up by `lines`, and only in files
that have a problem: a file of 10 000 Services is read in seconds and without a tree of its nodes.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml
from yaml import events

from orchestrator.errors import InvalidConfig

MAX_VALUES = 10_000_000
"""How many values one file may hold after aliases are expanded; a few nested aliases can ask for any number."""

MAX_DEPTH = 100
"""How deep a document may nest: more than any object, less than the interpreter's stack."""
MAX_NUMBER_LENGTH = 64
"""Longer runs of digits are text; no field takes such a number."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# YAML 1.1 as sigs.k8s.io/yaml reads it.
_BOOLEANS = {
    form: value
    for words, value in (("true yes on y", True), ("false no off n", False))
    for word in words.split()
    for form in (word, word.capitalize(), word.upper())
}
_INTEGER = re.compile(r"[-+]?(0b[01][01_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|0o?[0-7][0-7_]*|[1-9][0-9_]*|0)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL_FLOATS = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_STANDARD_TAG = "tag:yaml.org,2002:"


class Unreadable(InvalidConfig):
    """The text is no YAML; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Fault:
    """A document that is YAML and still wrong: a key that stands twice, an unknown tag."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file: its place among the others, its first line, its value; of a List each item's line."""

    index: int
    line: int
    value: object
    item_lines: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()


def read_documents(text: str) -> Iterator[Document]:
    """Yield the documents that are not empty. Raises Unreadable."""
    builder = _Builder(text)
    try:
        yield from builder.documents()
    except yaml.YAMLError as error:
        line, message = _explain(error)
        # libyaml finds out about a missing bracket on the line after the last.
        raise Unreadable(min(line, text.rstrip().count("\n") + 1), message) from None
    finally:
        builder.dispose()


def _explain(error: yaml.YAMLError) -> tuple[int, str]:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        return (mark.line + 1 if mark else 1, f"is not YAML: {words}; check the indentation and the quotes there")
    return (1, f"is not YAML: {error}; remove the character")


class _Builder:
    """Makes values of one text's events; faults and anchors are those of the current document."""

    def __init__(self, text: str) -> None:
        self._loader = yaml.CSafeLoader(text)
        self._next: Callable[[], object] = self._loader.get_event
        self._anchors: dict[str, tuple[object, int]] = {}
        self._faults: list[Fault] = []
        self._entry_lines: list[int] = []
        self._item_lines: list[int] = []
        self._count = 0
        self._depth = 0

    def dispose(self) -> None:
        self._loader.dispose()

    def documents(self) -> Iterator[Document]:
        index = 0
        while (event := self._next()) is not None:
            if isinstance(event, events.DocumentStartEvent):
                self._anchors, self._faults, self._item_lines, self._depth = {}, [], [], 0
                first = self._next()
                line = _line(first)
                value = self._value(first)
                if value is not None:
                    yield self._document(index, line, value)
                index += 1

    def _document(self, index: int, line: int, value: object) -> Document:
        items, faults = tuple(self._item_lines), tuple(self._faults)
        return Document(index=index, line=line, value=value, item_lines=items, faults=faults)

    def _value(self, event: object) -> object:
        self._count += 1
        before = self._count
        if isinstance(event, events.ScalarEvent):
            value: object = self._scalar(event)
        elif isinstance(event, events.AliasEvent):
            return self._alias(event)
        else:
            assert isinstance(event, events.CollectionStartEvent)
            value = self._collection(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before + 1)
        return value

    def _collection(self, event: events.CollectionStartEvent) -> object:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(_line(event), f"nests more than {MAX_DEPTH} levels; flatten it")
        value = self._mapping() if isinstance(event, events.MappingStartEvent) else self._sequence()
        self._depth -= 1
        return value

    def _alias(self, event: events.AliasEvent) -> object:
        line = _line(event)
        if event.anchor not in self._anchors:
            raise Unreadable(
                line, f"uses the alias *{event.anchor} that no anchor before it defines; write &{event.anchor}"
            )
        value, count = self._anchors[event.anchor]
        self._count += count
        if self._count > MAX_VALUES:
            raise Unreadable(
                line, f"holds more than {MAX_VALUES} values once aliases are expanded; write the values out"
            )
        return value

    def _scalar(self, event: events.ScalarEvent) -> object:
        if event.tag is None:
            return resolve_plain(event.value) if event.implicit[0] else event.value
        if event.tag in {"!", _STANDARD_TAG + "str"}:
            return event.value
        if event.tag.removeprefix(_STANDARD_TAG) not in {"int", "float", "bool", "null"}:
            self._fault(event, f"has the tag {event.tag}, which Kubernetes does not know; remove it")
        return resolve_plain(event.value)

    def _sequence(self) -> list[object]:
        values, lines = [], []
        while not isinstance(event := self._next(), events.SequenceEndEvent):
            lines.append(_line(event))
            values.append(self._value(event))
        self._entry_lines = lines
        return values

    def _mapping(self) -> dict[str, object]:
        values: dict[str, object] = {}
        merged: list[object] = []
        while not isinstance(key := self._next(), events.MappingEndEvent):
            name = self._key(key)
            value = self._value(self._next())
            if name == "items" and self._depth == 1:
                self._item_lines = self._entry_lines
            if name == "<<" and key.implicit[0]:  # type: ignore[attr-defined]  # a scalar: _key has checked it
                merged.extend(value if isinstance(value, list) else [value])
                continue
            if name in values:
                self._fault(key, f'has the key "{name}" twice in one mapping; remove one of them')
            values[name] = value
        for mapping in merged:
            if isinstance(mapping, dict):
                values = {**mapping, **values}
        return values

    def _key(self, event: object) -> str:
        if isinstance(event, events.ScalarEvent):
            self._count += 1
            return str(event.value)
        line = _line(event)
        raise Unreadable(line, "has a key that is not a word; put keys with braces or brackets in quotes")

    def _fault(self, event: object, message: str) -> None:
        self._faults.append(Fault(_line(event), message))


def _line(event: object) -> int:
    """The line of an event, from 1; libyaml marks every event."""
    assert isinstance(event, yaml.Event)
    assert event.start_mark is not None
    return event.start_mark.line + 1


def resolve_plain(text: str) -> object:
    """Return what a scalar without quotes means: null, a boolean, a number, else the text itself."""
    first = text[:1]
    if first in "tTfFyYnNoO~":
        if text in _NULLS:
            return None
        return _BOOLEANS.get(text, text)
    if not (first in "+-." or first.isdigit()) or len(text) > MAX_NUMBER_LENGTH:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text)
    return _SPECIAL_FLOATS.get(text.lower(), text)


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return int(text, 8) if octal else int(text, 0)
