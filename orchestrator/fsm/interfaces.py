"""Which interfaces answer: the links of a node as values, and the rule of contract 4.4.

An interface that carries NDP needs a link-local address besides (`link_local`): MLD reports and announcements come from
it. One that is tentative, or a duplicate, is none: `Link.addresses` holds those that can be used.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface

from orchestrator.net.addresses import IpAddress
from orchestrator.net.link import InterfaceName, MacAddress

DEFAULT_EXCLUSIONS = (
    "^docker.*",
    "^cbr.*",
    "^dummy.*",
    "^virbr.*",
    "^lxcbr.*",
    "^veth.*",
    "^lo$",
    "^cali.*",
    "^tunl.*",
    "^flannel.*",
    "^kube-ipvs.*",
    "^cni.*",
    "^nodelocaldns.*",
    "^lxc.*",
)
"""Interfaces of container networks (contract 4.4)."""


class Eligibility(Enum):
    """Whether an interface may answer ARP, or the first reason why not, in the order of contract 4.4."""

    ELIGIBLE = "eligible"
    EXCLUDED = "excluded"
    DOWN = "down"
    ENSLAVED = "enslaved"
    NO_ARP = "noARP"
    NO_BROADCAST = "noBroadcast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One network interface; `master` is the index of its bridge, bond or VRF; `addresses` are sorted by their text."""

    index: int
    name: InterfaceName
    mac: MacAddress | None
    up: bool
    carrier: bool
    broadcast: bool
    no_arp: bool
    master: int | None = None
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A router that a default route of this node leads to: on which interface (its index), and what it answered last."""

    interface: int
    address: IpAddress
    mac: MacAddress


def exclusion(patterns: Sequence[str]) -> re.Pattern[str] | None:
    """Return the alternatives as one un-anchored expression, None if there are none. Raises re.error."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None


def eligibility(link: Link, excluded: re.Pattern[str] | None) -> Eligibility:
    """Return whether `link` may answer ARP."""
    if excluded is not None and excluded.search(link.name):
        return Eligibility.EXCLUDED
    if not link.up:
        return Eligibility.DOWN
    if link.master is not None:
        return Eligibility.ENSLAVED
    if link.no_arp:
        return Eligibility.NO_ARP
    if not link.broadcast or link.mac is None:
        return Eligibility.NO_BROADCAST
    return Eligibility.ELIGIBLE


def can_serve(links: Iterable[Link], interfaces: tuple[str, ...] | None, excluded: re.Pattern[str] | None) -> bool:
    """Return False if announcements are for interfaces of this node (None: any), and none of them can answer now.

    They are excluded here, or have lost their carrier: others may serve. A node that has none of the named ones has
    lost nothing: who is elected without an interface says so (`noInterface`).
    """
    ours = [
        link
        for link in links
        if (interfaces is None or link.name in interfaces)
        and eligibility(replace(link, up=True), None) is Eligibility.ELIGIBLE
    ]
    return not ours or any(link.carrier and eligibility(link, excluded) is Eligibility.ELIGIBLE for link in ours)


def link_local(link: Link) -> IPv6Address | None:
    """Return the interface's own IPv6 address; None without one: then it carries no NDP."""
    for address in link.addresses:
        if isinstance(address, IPv6Interface) and address.is_link_local:
            return IPv6Address(address.packed)
    return None
