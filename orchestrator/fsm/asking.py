"""Who has an address: which interfaces to ask on, and what the answers mean.

Pure: `apply.asking` sends the questions and keeps the time. `ferrule arping` prints what comes out here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import fmean

from orchestrator.fsm.interfaces import DEFAULT_EXCLUSIONS, Eligibility, Link, eligibility, exclusion
from orchestrator.net.addresses import IpAddress
from orchestrator.net.link import InterfaceName, MacAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to question number `question`, from 0; `after_s` is its age since that question was sent."""

    mac: MacAddress
    interface: InterfaceName
    question: int
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the objects say: the nodes that answer for the address, and whose each MAC is. Empty where nothing is known."""

    services: tuple[str, ...] = ()
    owners: frozenset[str] = frozenset()
    nodes: Mapping[str, str]


class Verdict(Enum):
    """What the answers say; `describe` has the words."""

    EXPECTED = "expected"
    ONE = "one"
    """One answers, and nothing is known about who should."""
    NOBODY = "nobody"
    THIS_NODE = "thisNode"
    """Nobody else answers, and this node should: it does not hear itself."""
    ANOTHER = "another"
    SEVERAL = "several"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """One MAC: its node (empty: no node of ours, or not known), where it was heard, how often, and how fast in seconds."""

    mac: MacAddress
    node: str
    interfaces: tuple[InterfaceName, ...]
    replies: int
    min_s: float
    mean_s: float
    max_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Everybody who answered, the quickest first, and what that means."""

    verdict: Verdict
    answerers: tuple[Answerer, ...]


def interfaces_for(
    address: IpAddress, links: Iterable[Link], patterns: Sequence[str] = DEFAULT_EXCLUSIONS
) -> tuple[Link, ...]:
    """Return the links to ask on: those with the address on-link, else all that may answer; sorted by name.

    `patterns` are un-anchored regular expressions of interfaces that never answer.
    """
    excluded = exclusion(patterns)
    usable = sorted(
        (link for link in links if eligibility(link, excluded) is Eligibility.ELIGIBLE and link.carrier),
        key=lambda link: link.name,
    )
    near = tuple(link for link in usable if any(address in own.network for own in link.addresses))
    return near or tuple(usable)


def sender(address: IpAddress, link: Link) -> IpAddress | None:
    """Return the address of the link that a question comes from, so that nobody learns anything new from it; None: none.

    For IPv4 one in the subnet of `address`, else any; for IPv6 a link-local one.
    """
    own = [each.ip for each in link.addresses if each.version == address.version]
    if address.version == 6:
        return next((each for each in own if each.is_link_local), None)
    near = [each.ip for each in link.addresses if each.version == 4 and address in each.network]
    return next(iter((*near, *own)), None)


def judge(replies: Iterable[Reply], expected: Expected, own: frozenset[MacAddress]) -> Finding:
    """Return what the replies mean; `own` are the MACs of this node."""
    by_mac: dict[MacAddress, list[Reply]] = {}
    for reply in replies:
        by_mac.setdefault(reply.mac, []).append(reply)
    answerers = [_answerer(mac, found, expected.nodes.get(str(mac), "")) for mac, found in by_mac.items()]
    answerers.sort(key=lambda each: (each.min_s, each.mac))
    return Finding(verdict=_verdict(answerers, expected, own), answerers=tuple(answerers))


def _answerer(mac: MacAddress, replies: Sequence[Reply], node: str) -> Answerer:
    ages = [reply.after_s for reply in replies]
    return Answerer(
        mac=mac,
        node=node,
        interfaces=tuple(sorted({reply.interface for reply in replies})),
        replies=len(replies),
        min_s=min(ages),
        mean_s=fmean(ages),
        max_s=max(ages),
    )


def _verdict(answerers: Sequence[Answerer], expected: Expected, own: frozenset[MacAddress]) -> Verdict:
    here = any(expected.nodes.get(str(mac)) in expected.owners for mac in own)
    if not answerers:
        return Verdict.THIS_NODE if here else Verdict.NOBODY
    if len({each.node or str(each.mac) for each in answerers}) > 1:
        return Verdict.SEVERAL
    if not expected.owners and not expected.services:
        return Verdict.ONE
    return Verdict.EXPECTED if answerers[0].node in expected.owners else Verdict.ANOTHER


def describe(address: IpAddress, finding: Finding, expected: Expected) -> str:
    """Return the finding in one sentence that says what to do where something is to be done."""
    who = ", ".join(each.node or f"{each.mac}, no node of ours" for each in finding.answerers)
    owners = ", ".join(sorted(expected.owners))
    match finding.verdict:
        case Verdict.EXPECTED:
            return f"{who} answers for {address}, as it should"
        case Verdict.ONE:
            macs = ", ".join(str(each.mac) for each in finding.answerers)
            return f"one answers for {address}: {who if expected.nodes else macs}; who should is not known"
        case Verdict.NOBODY if owners:
            return f"nobody answers for {address}; {owners} should: look at its responder, and at the network between"
        case Verdict.NOBODY:
            return f"nobody answers for {address}"
        case Verdict.THIS_NODE:
            return f"this node should answer for {address} and does not hear itself; ask from another machine of the network"
        case Verdict.ANOTHER:
            return f"{who} answers for {address}; {owners or 'nobody'} should"
        case Verdict.SEVERAL:
            return f"several answer for {address}: {'; '.join(_named(each) for each in finding.answerers)}" + (
                f"; {owners} should" if owners else ""
            )


def _named(answerer: Answerer) -> str:
    return f"{answerer.node or 'no node of ours'} ({answerer.mac})"
