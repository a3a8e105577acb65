"""What the world sees of Services: addresses, who answers for them, how often the router was told something new.

Two equal pictures mean that nothing moved in between: each UPDATE and each dropped session counts for ever.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.e2e.cluster import wire
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.waiting import eventually

QUIET_S = 7.0
"""Longer than what a speaker or a daemon puts off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """By Service: `addresses`, `next_hops` and `answerers`; by the node's address: `updates` and `drops` of its sessions."""

    addresses: Mapping[str, tuple[str, ...]]
    next_hops: Mapping[str, frozenset[str]]
    answerers: Mapping[str, frozenset[str]]
    updates: Mapping[str, int]
    drops: Mapping[str, int]

    def difference(self, later: "Picture") -> list[str]:
        """What is not the same, in words; empty if nothing moved."""
        parts = ("addresses", "next_hops", "answerers", "updates", "drops")
        return [
            f"{part} of {key}: {before.get(key)} -> {after.get(key)}"
            for part in parts
            for before, after in [(getattr(self, part), getattr(later, part))]
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]


def take(cluster: Cluster, services: Mapping[str, str]) -> Picture:
    """The picture of Services by name, each with the address that clients use."""
    return Picture(
        addresses={name: tuple(cluster.addresses(name)) for name in services},
        next_hops={name: cluster.next_hops(address) for name, address in services.items()},
        answerers={name: wire.answerers(cluster, address) for name, address in _on_lan(services)},
        updates=updates(cluster),
        drops={address: session.connections_dropped for address, session in cluster.sessions().items()},
    )


def updates(cluster: Cluster) -> dict[str, int]:
    """How many UPDATEs the router has received in each session, by the node's address."""
    neighbors = json.loads(cluster.router_show("show bgp neighbors json"))
    return {
        address: int(found["messageStats"]["updatesRecv"])
        for address, found in neighbors.items()
        if isinstance(found, dict) and "messageStats" in found
    }


def wait_settled(cluster: Cluster) -> None:
    """Return when the router has heard nothing new for a while."""
    seen, since = updates(cluster), time.monotonic()

    def settled() -> bool:
        nonlocal seen, since
        now = updates(cluster)
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > QUIET_S

    eventually(settled, "an end of the UPDATEs", within_s=60)


def _on_lan(services: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((name, address) for name, address in services.items() if address.startswith("192.0.2."))
