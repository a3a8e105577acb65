"""A daemon's configuration as a set of (context, line): what two texts are compared by.

`show running-config` of FRR 8.4 and 10.x differ in order and separators, which do not count, and in two spellings:
community 0:0 is `internet` to 8.4, and 10.x leaves out the 255 of `ebgp-multihop 255`. A context is the chain of lines
that lead to a place: `("router bgp 65001", "address-family ipv4 unicast")`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

Context = tuple[str, ...]


class Line(NamedTuple):
    """One line at its place; `context` is empty at the top."""

    context: Context
    text: str

    def __str__(self) -> str:
        return " / ".join((*self.context, self.text))


PASSWORD = re.compile(r"(neighbor \S+ password) \S.*")
ORIGIN = "! from "
"""Starts the comment that names the objects which the following lines come from."""
SEPARATORS = frozenset({"exit", "exit-address-family", "exit-vrf", "end"})
PREAMBLE = ("Building configuration", "Current configuration", "frr version ", "frr defaults ", "hostname ")


def redact(text: str) -> str:
    """Return `text` with the passwords of neighbors as `***`."""
    return PASSWORD.sub(r"\1 ***", text)


def is_place(text: str) -> bool:
    """Whether this line is only a context; FRR prints an empty one or not, as it likes."""
    return text == "bfd" or text.startswith("address-family ")


OPENERS = ("router bgp ", "route-map ", "profile ", "peer ", "interface ")


def opens(line: Line) -> bool:
    """Whether other lines may stand under this one."""
    context, text = line
    if context and context[0] == "bfd":
        return len(context) == 1
    return not context and text.startswith(OPENERS)


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines of a configuration in its order; depth is indentation.

    Accepts what we render and `show running-config` of FRR 8.4.4 and 10.x; comments and separators are left out.
    """
    return (line for _, line in lines_with_notes(text))


def lines_with_notes(text: str) -> Iterator[tuple[str, Line]]:
    """Yield each line with the comment `! from ...` that it stands under, empty if there is none."""
    stack: list[tuple[int, str]] = []
    note, note_depth = "", 0
    for raw in text.splitlines():
        line = raw.strip()
        depth = len(raw) - len(raw.lstrip())
        if line.startswith(ORIGIN):
            note, note_depth = line, depth
        if not line or line[0] in "!#" or line in SEPARATORS or line.startswith(PREAMBLE):
            continue
        if depth < note_depth:
            note, note_depth = "", 0
        while stack and stack[-1][0] >= depth:
            stack.pop()
        line = _one_spelling(line)
        if not is_place(line):
            yield note, Line(tuple(word for _, word in stack), line)
        stack.append((depth, line))


def _one_spelling(line: str) -> str:
    """What one version of FRR prints in another way than the rest, as we render it."""
    if line.startswith("set community "):
        return line.replace(" internet", " 0:0")
    return f"{line} 255" if line.endswith(" ebgp-multihop") else line


def parse(text: str) -> frozenset[Line]:
    """Return the configuration as a set."""
    return frozenset(lines_of(text))


def version_in(text: str) -> int:
    """Return the first number of the version that a running configuration names, 0 if it names none."""
    found = re.search(r"^frr version (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0
