"""What a BGP engine cannot do of a Peer: refused, with the field and the way out, and never ignored (contract 3.8).

FRR does all that a BGPPeer can say. ExaBGP 5 speaks BGP and nothing beside it: no BFD, no interfaces of the kernel. Unlike
MetalLB's `native` it has IPv6, large communities, sessions of both families, localASN and graceful restart. A refused
peer concerns no other; pools and advertisements are the same for both.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from orchestrator.config.extras import FIELD
from orchestrator.config.model import Config, Extras, Peer, RemoteAs
from orchestrator.net.bgp import BgpEngine
from orchestrator.resources.meta import Problem

SECOND = timedelta(seconds=1)


def refusals(engine: BgpEngine, config: Config) -> tuple[Problem, ...]:
    """Return what the engine cannot do: of each peer, by peer and field (such a peer has no session), and of `bgpextras`."""
    if engine is BgpEngine.FRR:
        return ()
    peers = {**config.peers, **config.locked_peers}
    of_peers = tuple(
        Problem(ref=peer.origin, field=field, message=f"ExaBGP {cannot}; {remedy}, or use the FRR engine")
        for _, peer in sorted(peers.items())
        for field, cannot, remedy in _beyond_exabgp(peer)
    )
    return of_peers if config.extras is None else (*of_peers, _of_extras(config.extras))


def _of_extras(extras: Extras) -> Problem:
    return Problem(
        ref=extras.origin,
        field=FIELD,
        message="ExaBGP does not read the language of FRR; remove the text, or use the FRR engine",
    )


def usable(engine: BgpEngine, config: Config) -> tuple[Config, tuple[Problem, ...]]:
    """Return the configuration without the peers that the engine cannot serve, and why: these have no session."""
    problems = refusals(engine, config)
    names = frozenset(problem.ref.name for problem in problems if problem.ref.kind == "BGPPeer")
    if not problems:
        return config, ()
    served = replace(
        config,
        peers={name: peer for name, peer in config.peers.items() if name not in names},
        locked_peers={name: peer for name, peer in config.locked_peers.items() if name not in names},
        held_peers=config.held_peers - names,
        extras=None,
    )
    return served, problems


def _beyond_exabgp(peer: Peer) -> Iterator[tuple[str, str, str]]:
    """Field, what ExaBGP 5 cannot do, and what to do instead."""
    if peer.bfd_profile:
        yield "spec.bfdProfile", "has no BFD", "leave it out and set a short holdTime"
    if peer.vrf:
        yield "spec.vrf", "has no VRFs", "leave it out"
    if peer.interface:
        yield "spec.interface", "has no unnumbered sessions", "write the router's address as peerAddress instead"
    if isinstance(peer.remote_as, RemoteAs):
        message = "takes one AS number or any, and cannot tell internal from external"
        yield "spec.dynamicASN", message, "write the number as peerASN"
    if peer.connect_time is not None:
        yield "spec.connectTime", "has no connect timer", "leave it out"
    if peer.hold_time is not None and peer.keepalive_time != _third_of(peer.hold_time):
        message = f"sends keepalives every third of the hold time ({_third_of(peer.hold_time)})"
        yield "spec.keepaliveTime", message, "leave it out"


def _third_of(hold_time: timedelta) -> timedelta:
    return timedelta(seconds=hold_time // SECOND // 3)
