"""The CustomResourceDefinitions of metallb.io and ferrule.io, generated from the structs (contract 01).

Types, defaults, limits, rules and printer columns are MetalLB's: an object that one of the two accepts, the other does.
What we add is optional and has no default in the schema, so that an object that passed through ours is one that
MetalLB's takes. BGPPeer is converted between its versions by renaming only (strategy None): no webhook to be reached,
or to be missing, while somebody writes a peer. Every field of v1beta1 is in v1beta2 with the same meaning; `parse`
takes care of the one value that differs, peerPort 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.resources import extensions, metallb
from orchestrator.resources.kinds import FERRULE, KINDS, METALLB, Kind
from orchestrator.resources.schema_fields import object_schema
from orchestrator.resources.schema_rules import Schema, Struct

LABELS = {"app.kubernetes.io/part-of": "ferrule"}
DEPRECATED_PEER = "v1beta1 is deprecated, please use v1beta2"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; those of a priority above 0 appear with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_ACCEPTED = Column("Accepted", '.status.conditions[?(@.type=="Accepted")].status')
_PEER = (
    Column("Address", ".spec.peerAddress"),
    Column("ASN", ".spec.peerASN"),
    Column("BFD Profile", ".spec.bfdProfile"),
    Column("Multi Hops", ".spec.ebgpMultiHop"),
)
_POOLS = (
    Column("IPAddressPools", ".spec.ipAddressPools"),
    Column("IPAddressPool Selectors", ".spec.ipAddressPoolSelectors"),
)
_NODE_SELECTORS = Column("Node Selectors", ".spec.nodeSelectors", priority=10)
_OF_SERVICE = (
    Column("Service Name", ".status.serviceName"),
    Column("Service Namespace", ".status.serviceNamespace"),
)

COLUMNS: Mapping[Struct, tuple[Column, ...]] = {
    metallb.IPAddressPool: (
        Column("Auto Assign", ".spec.autoAssign", "boolean"),
        Column("Avoid Buggy IPs", ".spec.avoidBuggyIPs", "boolean"),
        Column("Addresses", ".spec.addresses"),
    ),
    metallb.L2Advertisement: (*_POOLS, Column("Interfaces", ".spec.interfaces"), _NODE_SELECTORS),
    metallb.BGPAdvertisement: (*_POOLS, Column("Peers", ".spec.peers"), _NODE_SELECTORS),
    metallb.BGPPeer: _PEER,
    metallb.BGPPeerV1Beta1: _PEER,
    metallb.BFDProfile: (
        Column("Passive Mode", ".spec.passiveMode", "boolean"),
        Column("Transmit Interval", ".spec.transmitInterval", "integer"),
        Column("Receive Interval", ".spec.receiveInterval", "integer"),
        Column("Multiplier", ".spec.detectMultiplier", "integer"),
    ),
    metallb.ServiceL2Status: (Column("Allocated Node", ".status.node"), *_OF_SERVICE),
    metallb.ServiceBGPStatus: (Column("Node", ".status.node"), *_OF_SERVICE),
    metallb.ConfigurationState: (
        Column("Result", ".status.result"),
        Column("ErrorSummary", ".status.errorSummary"),
        _AGE,
    ),
    extensions.SpeakerState: (
        Column("Node", ".spec.node"),
        Column("Version", ".spec.version"),
        Column("Addresses", ".spec.announcedAddresses", "integer"),
        Column("Prefixes", ".spec.announcedPrefixes", "integer"),
        Column("Draining", ".spec.draining", "boolean"),
        Column("Drain", ".spec.drain.stage"),
        _AGE,
    ),
    extensions.Failover: (
        Column("Address", ".spec.address"),
        Column("To", ".spec.to"),
        Column("Avoid", ".spec.avoid"),
        _AGE,
    ),
    extensions.AddressReservation: (
        Column("Addresses", ".spec.addresses"),
        Column("Service Namespace", ".spec.service.namespace"),
        Column("Service", ".spec.service.name"),
        _ACCEPTED,
        _AGE,
    ),
    extensions.AddressQuota: (
        Column("IPv4", ".spec.ipv4", "integer"),
        Column("Used IPv4", ".status.usedIPv4", "integer"),
        Column("IPv6", ".spec.ipv6", "integer"),
        Column("Used IPv6", ".status.usedIPv6", "integer"),
        _ACCEPTED,
        _AGE,
    ),
}


DEFINED: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind.group in {METALLB, FERRULE})
"""The kinds that have a definition here."""


def name_of(kind: Kind) -> str:
    """Return the name of a kind's definition."""
    return f"{kind.plural}.{kind.group}"


def definition(kind: Kind) -> Schema:
    """Return the CustomResourceDefinition of one of DEFINED."""
    names = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name_of(kind), "labels": dict(LABELS)},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced",
            **_conversion(kind),
            "versions": [_version(kind, name) for name in kind.versions],
        },
    }


def _conversion(kind: Kind) -> Schema:
    """Null takes the address of MetalLB's webhook out when this is applied over MetalLB's definition."""
    return {"conversion": {"strategy": "None", "webhook": None}} if len(kind.versions) > 1 else {}


def _version(kind: Kind, name: str) -> Schema:
    stored = name == kind.versions[-1]
    struct: Struct = kind.struct if stored else metallb.BGPPeerV1Beta1
    columns = [_column(column) for column in COLUMNS.get(struct, ())]
    return {
        "name": name,
        "served": True,
        "storage": stored,
        **({} if stored else {"deprecated": True, "deprecationWarning": DEPRECATED_PEER}),
        **({"additionalPrinterColumns": columns} if columns else {}),
        **({"subresources": {"status": {}}} if kind.has_status else {}),
        "schema": {"openAPIV3Schema": object_schema(struct)},
    }


def _column(column: Column) -> Schema:
    priority = {"priority": column.priority} if column.priority else {}
    return {"name": column.name, "type": column.type, **priority, "jsonPath": column.path}
