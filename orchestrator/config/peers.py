"""BGPPeer -> Peer (contract 3.5). Each peer by itself; what two peers may not share on a node is in `sessions`.

Messages start with the words of MetalLB that its users search for, and end with the remedy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from orchestrator.config.claims import Claims, Knowledge, Subject, gather
from orchestrator.config.findings import Findings, check_selectors, nearest
from orchestrator.config.model import BfdProfile, NodeFacts, NodeName, Peer, RemoteAs
from orchestrator.config.nodes import selected
from orchestrator.config.passwords import Locked, password_of
from orchestrator.config.timers import connect_time, hold_and_keepalive
from orchestrator.config.tokens import check_interface
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.net.bgp import Asn, RouterId
from orchestrator.resources.core import Secret
from orchestrator.resources.metallb import BGPPeerSpec, LabelSelector


@dataclass(frozen=True, slots=True)
class Draft:
    """A peer before conflicts are decided; `locked`: all is known but its password. `selectors` as in the object."""

    peer: Peer
    locked: bool
    selectors: tuple[LabelSelector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The other objects that a peer refers to."""

    nodes: Mapping[NodeName, NodeFacts]
    bfd_profiles: Mapping[str, BfdProfile]
    secrets: Mapping[str, Secret]


def claims_of(knowledge: Knowledge, around: Surroundings) -> Claims[Draft]:
    """Gather the peers."""
    return gather(
        "BGPPeer",
        BGPPeerSpec,
        knowledge.snapshot.peers,
        knowledge,
        lambda subject, findings: _read(subject, findings, around),
    )


def _read(subject: Subject[BGPPeerSpec], findings: Findings, around: Surroundings) -> Draft | None:
    spec = subject.spec
    _check_texts(subject, findings)
    remote_as = _remote_as(subject, findings)
    address = _address(spec.peer_address, "BGPPeer address", "spec.peerAddress", subject, findings)
    source = _address(spec.source_address, "source IP", "spec.sourceAddress", subject, findings)
    router_id = _router_id(subject, findings)
    hold, keepalive = hold_and_keepalive(spec, findings)
    connect = connect_time(spec, findings)
    _check_profile(subject, around, findings)
    sound = findings.usable
    password = password_of(subject, around.secrets, findings)
    if not sound or remote_as is None:
        return None
    peer = Peer(
        name=subject.ref.name,
        origin=subject.ref,
        nodes=selected(spec.node_selectors, around.nodes),
        my_asn=Asn(spec.my_asn),
        remote_as=remote_as,
        address=address,
        interface=spec.interface,
        port=spec.peer_port,
        local_asn=None if spec.local_asn is None else Asn(spec.local_asn),
        source_address=source,
        router_id=router_id,
        hold_time=hold,
        keepalive_time=keepalive,
        connect_time=connect,
        password=None if isinstance(password, Locked) else password,
        bfd_profile=spec.bfd_profile,
        graceful_restart=spec.enable_graceful_restart,
        ebgp_multi_hop=spec.ebgp_multi_hop,
        vrf=spec.vrf,
        dual_stack_address_family=spec.dual_stack_address_family,
    )
    return Draft(peer, isinstance(password, Locked), spec.node_selectors)


def _check_texts(subject: Subject[BGPPeerSpec], findings: Findings) -> None:
    spec, prefix = subject.spec, f"parsing peer {subject.ref.name}"
    if spec.my_asn == 0:
        findings.error("spec.myASN", f"{prefix} missing local ASN; set spec.myASN to our AS number")
    if not spec.peer_address and not spec.interface:
        findings.error("spec.peerAddress", f"{prefix} peer has no Address or Interface specified; set spec.peerAddress")
    if spec.peer_address and spec.interface:
        message = f"{prefix} peer has both Address and Interface specified; remove one of them"
        findings.error("spec.interface", message)
    if spec.interface:
        check_interface(spec.interface, "spec.interface", findings)
    if spec.vrf:
        check_interface(spec.vrf, "spec.vrf", findings)
    if spec.disable_mp:
        findings.warn(
            "spec.disableMP",
            "disable mp is deprecated and has no effect since it's the default behavior now; remove it",
        )
    check_selectors(spec.node_selectors, "spec.nodeSelectors", findings)


def _remote_as(subject: Subject[BGPPeerSpec], findings: Findings) -> Asn | RemoteAs | None:
    spec, prefix = subject.spec, f"parsing peer {subject.ref.name}"
    if spec.peer_asn and spec.dynamic_asn:
        findings.error("spec.dynamicASN", f"{prefix} both peer ASN and dynamicASN specified; remove one of them")
        return None
    if not spec.peer_asn and not spec.dynamic_asn:
        message = f"{prefix} missing peer ASN and dynamicASN; set spec.peerASN to the router's AS number"
        findings.error("spec.peerASN", message)
        return None
    remote_as = RemoteAs(spec.dynamic_asn) if spec.dynamic_asn else Asn(spec.peer_asn)
    if spec.ebgp_multi_hop and remote_as in (spec.my_asn, RemoteAs.INTERNAL):
        findings.error(
            "spec.ebgpMultiHop",
            f"{prefix} invalid ebgp-multihop parameter set for an ibgp peer; remove it, iBGP may always cross routers",
        )
    return remote_as


def _address(text: str, what: str, field: str, subject: Subject[BGPPeerSpec], findings: Findings) -> IpAddress | None:
    if not text:
        return None
    try:
        return parse_address(text)
    except InvalidConfig as error:
        findings.error(field, f'parsing peer {subject.ref.name} invalid {what} "{text}": {error}; write an IP address')
        return None


def _router_id(subject: Subject[BGPPeerSpec], findings: Findings) -> RouterId | None:
    """Contract 11, number 33: MetalLB takes an IPv6 literal here and fails later."""
    text = subject.spec.router_id
    if not text:
        return None
    try:
        router_id = parse_address(text)
    except InvalidConfig:
        router_id = None
    if isinstance(router_id, IPv4Address) and int(router_id) != 0:
        return router_id
    message = f'parsing peer {subject.ref.name} invalid router ID "{text}"; write it as an IPv4 address'
    findings.error("spec.routerID", message)
    return None


def _check_profile(subject: Subject[BGPPeerSpec], around: Surroundings, findings: Findings) -> None:
    name = subject.spec.bfd_profile
    if name and name not in around.bfd_profiles:
        findings.missing(
            "spec.bfdProfile",
            f"peer {subject.ref.name} referencing non existing bfd profile {name}",
            f"create BFDProfile {name} ({nearest(name, around.bfd_profiles)})",
        )
