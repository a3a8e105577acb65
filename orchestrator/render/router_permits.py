"""Which prefixes a router has to accept from the nodes of a peer: those of the pools that are advertised to it, no others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.config.model import BgpAdvertisement, Peer, Pool
from orchestrator.net.addresses import IpFamily, Prefix, covering_prefix, family_of, prefix_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """All prefixes inside `prefix` whose length is from `shortest` to `longest`, both included."""

    prefix: Prefix
    shortest: int
    longest: int

    @property
    def ge(self) -> int | None:
        """FRR's `ge`; None where it has to be left out, at the prefix' own length."""
        return self.shortest if self.shortest > self.prefix.prefixlen else None

    @property
    def le(self) -> int | None:
        """FRR's `le`; None where nothing longer is meant, or `ge` says so already."""
        implied = self.ge is not None and self.longest == self.prefix.max_prefixlen
        return None if implied or self.longest == self.prefix.prefixlen else self.longest

    @property
    def pattern(self) -> str:
        """BIRD's way to write it."""
        return f"{self.prefix}{{{self.shortest},{self.longest}}}"


def permits(peer: Peer, pools: Iterable[Pool], family: IpFamily) -> tuple[Permit, ...]:
    """Return what the peer may get, in order: from the aggregation length up to single addresses.

    Longer prefixes than today's pass, too: an advertisement that gets a greater length needs no other router. Where an
    aggregate is larger than a part of a pool, that aggregate itself passes, and what lies inside the part.
    """
    found = {
        (permit.prefix, permit.longest): permit
        for permit in sorted(_all(peer, pools, family), key=lambda each: -each.shortest)
    }
    return tuple(sorted(found.values(), key=lambda each: (prefix_key(each.prefix), each.longest)))


def reaches(advertisement: BgpAdvertisement, peer: Peer) -> bool:
    """Whether the advertisement is for this peer, from any of its nodes."""
    named = advertisement.peers is None or peer.name in advertisement.peers
    return named and bool(advertisement.nodes & peer.nodes)


def _all(peer: Peer, pools: Iterable[Pool], family: IpFamily) -> Iterator[Permit]:
    for pool in pools:
        lengths = {each.length_for(family) for each in pool.bgp_advertisements if reaches(each, peer)}
        prefixes = [prefix for part in pool.ranges for prefix in part.prefixes() if family_of(prefix) is family]
        for length in lengths:
            for prefix in prefixes:
                yield from _with_length(prefix, length)


def _with_length(prefix: Prefix, length: int) -> Iterator[Permit]:
    if length < prefix.prefixlen:
        yield Permit(prefix=covering_prefix(prefix.network_address, length), shortest=length, longest=length)
    shortest = max(length, prefix.prefixlen)
    yield Permit(prefix=prefix, shortest=shortest, longest=prefix.max_prefixlen)
