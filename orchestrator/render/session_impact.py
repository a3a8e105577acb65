"""Which sessions a difference makes, resets or ends, and why: said before it is applied, and held to by tests."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from orchestrator.render.canonical import Line, redact
from orchestrator.render.commands import Impact, clause_of, impact_of, is_instance, neighbor_of, neighbor_option
from orchestrator.render.delta import place_and_slot
from orchestrator.render.difference import Difference


class Fate(Enum):
    """What becomes of a session."""

    MADE = "made"
    RESET = "reset"
    ENDED = "ended"


class SessionKey(NamedTuple):
    """A neighbor by its address or interface; `vrf` is empty for the default one."""

    vrf: str
    neighbor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionImpact:
    """`causes` are the options that change, as the daemon is told them, passwords as `***`."""

    key: SessionKey
    fate: Fate
    causes: tuple[str, ...]


def session_impacts(running: AbstractSet[Line], found: Difference) -> tuple[SessionImpact, ...]:
    """Return the sessions that do not stay up, sorted; `found` is what will be done about `running`."""
    before = sessions_in(running)
    after = sessions_in((running - found.gone) | found.come)
    lost, new = found.gone - found.come, found.come - found.gone
    causes = {key: tuple(_causes(key, lost, new)) for key in before | after}
    return tuple(
        SessionImpact(key=key, fate=_fate(key, before, after), causes=why if key in before & after else ())
        for key, why in sorted(causes.items())
        if why or key not in before & after
    )


def sessions_in(lines: Iterable[Line]) -> frozenset[SessionKey]:
    """Return the neighbors of a configuration."""
    return frozenset(
        SessionKey(vrf_of(line), name)
        for line in lines
        if (name := neighbor_of(line)) is not None and neighbor_option(line.text) == "remote-as"
    )


def vrf_of(line: Line) -> str:
    """The VRF of the BGP instance that a line stands in or opens."""
    return clause_of(line).partition(" vrf ")[2]


def _fate(key: SessionKey, before: AbstractSet[SessionKey], after: AbstractSet[SessionKey]) -> Fate:
    if key not in before:
        return Fate.MADE
    return Fate.RESET if key in after else Fate.ENDED


def _causes(key: SessionKey, lost: AbstractSet[Line], new: AbstractSet[Line]) -> Iterator[str]:
    """Yield what a session is reset for: an option that is new or another, one that goes, one of the whole instance."""
    replaced = place_and_slot(new)
    opened = {vrf_of(line) for line in new if is_instance(line)}
    for line in sorted(new):
        if _concerns(line, key):
            yield _words(line)
    for line in sorted(lost):
        is_followed = is_instance(line) and vrf_of(line) in opened
        if _concerns(line, key) and not is_followed and not place_and_slot([line]) <= replaced:
            yield f"no {_words(line)}"


def _concerns(line: Line, key: SessionKey) -> bool:
    if impact_of(line) is not Impact.SESSION or not clause_of(line).startswith("router bgp "):
        return False
    return vrf_of(line) == key.vrf and neighbor_of(line) in (None, key.neighbor)


def _words(line: Line) -> str:
    text = redact(line.text)
    name = neighbor_of(line)
    if name is None:
        return text
    family = (place.removeprefix("address-family ") for place in line.context[1:])
    return " ".join((*family, text.removeprefix(f"neighbor {name} ")))
