"""Community -> the map of aliases, and the communities of an advertisement (contract 3.4)."""

from collections.abc import Mapping, Sequence

from orchestrator.config.claims import Claim, Claims, Knowledge, Subject, gather
from orchestrator.config.findings import Findings, duplicates, nearest
from orchestrator.errors import InvalidConfig
from orchestrator.net.bgp import WELL_KNOWN, Community, community_key, parse_community
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.metallb import CommunitySpec

MAX_COMMUNITIES = 63

Aliases = Mapping[str, str]
"""Alias -> the text of its value; every value parses."""


def claims_of(knowledge: Knowledge) -> Claims[Aliases]:
    """Gather the aliases of each Community object."""
    return gather("Community", CommunitySpec, knowledge.snapshot.communities, knowledge, _read)


def _read(subject: Subject[CommunitySpec], findings: Findings) -> Aliases | None:
    entries = subject.spec.communities
    for name in duplicates(entry.name for entry in entries):
        findings.error("spec.communities", f'duplicate definition of community "{name}"; keep one of them')
    for index, entry in enumerate(entries):
        try:
            parse_community(entry.value)
        except InvalidConfig as error:
            field = f"spec.communities[{index}].value"
            findings.error(field, f'{error}; write "65000:1", "large:65000:1:2" or a well-known name')
    return {entry.name: entry.value for entry in entries} if findings.usable else None


def merge(claims: Sequence[Claim[Aliases]]) -> tuple[dict[str, str], tuple[Problem, ...], dict[ObjectRef, bytes]]:
    """Return all aliases, the problems of objects that define one again, and what to remember.

    An edit that defines one again leaves its object as it was; a new object still gives the aliases that are its own.
    """
    merged: dict[str, str] = {}
    owner: dict[str, ObjectRef] = {}
    problems: list[Problem] = []
    memories: dict[ObjectRef, bytes] = {}
    for claim in claims:
        taken = sorted(set(claim.variants[0]) & set(merged))
        problems += [_defined_again(claim.ref, name, owner[name]) for name in taken]
        memories |= claim.memory(in_use=not taken)
        chosen = next((variant for variant in claim.variants if not set(variant) & set(merged)), claim.variants[0])
        for name, value in chosen.items():
            merged.setdefault(name, value)
            owner.setdefault(name, claim.ref)
    return merged, tuple(problems), memories


def _defined_again(loser: ObjectRef, name: str, winner: ObjectRef) -> Problem:
    message = f'duplicate definition of community "{name}": that of {winner} is used; rename or remove one of them'
    return Problem(ref=loser, field="spec.communities", message=message)


def parse_communities(texts: Sequence[str], aliases: Aliases, findings: Findings) -> tuple[Community, ...]:
    """Return the communities that aliases, else texts (numbers or well-known names) stand for, sorted and unique."""
    if len(texts) > MAX_COMMUNITIES:
        findings.error(
            "spec.communities",
            f"max supported communities is {MAX_COMMUNITIES}, got {len(texts)}; leave some out",
        )
    found: set[Community] = set()
    for index, text in enumerate(texts):
        try:
            found.add(parse_community(aliases.get(text, text)))
        except InvalidConfig as error:
            _report(error, index, text, aliases, findings)
    return tuple(sorted(found, key=community_key))


def _report(error: InvalidConfig, index: int, text: str, aliases: Aliases, findings: Findings) -> None:
    """A text of the wrong shape may be an alias that appears later; a bad number stays bad."""
    field, said = f"spec.communities[{index}]", f'{error}\ninvalid community "{text}" in BGP advertisement'
    if str(error).startswith("invalid community format"):
        findings.missing(field, said, f"define it in a Community object ({nearest(text, {*aliases, *WELL_KNOWN})})")
    else:
        findings.error(field, f"{said}; write it as A:B")
