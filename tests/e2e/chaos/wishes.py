"""What people want of Services while everything is being killed: random, and the same for the same seed.

Pools, keys and ports are few, so that Services meet on an address, contradict each other, and wait for one.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.e2e.cluster.workload import UDP_PORT

Raw = dict[str, Any]

APPS = ("red", "green", "blue")
POOLS = ("lan", "lan", "routed", "routed", "routed", "small")
KEYS = ("", "", "", "one", "two")
"""Sharing keys; mostly none."""
PORTS = (80, 81)
PROTOCOLS = ("TCP", "TCP", "UDP")
FAMILIES = (("IPv4",), ("IPv4",), ("IPv6",), ("IPv4", "IPv6"))
TARGETS = {"TCP": "http", "UDP": UDP_PORT}
POLICIES = ("Cluster", "Local")

POOL, KEY, ALLOCATED_FROM = "metallb.io/address-pool", "metallb.io/allow-shared-ip", "metallb.io/ip-allocated-from-pool"

NETWORK = """
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: calm, namespace: metallb-system}
spec: {receiveInterval: 500, transmitInterval: 500, detectMultiplier: 6}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.254, holdTime: 9s, keepaliveTime: 3s, connectTime: 1s, bfdProfile: calm}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router6, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: "2001:db8:1::254", holdTime: 9s, keepaliveTime: 3s, connectTime: 1s}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [192.0.2.200-192.0.2.220, "2001:db8:1::200-2001:db8:1::220"], autoAssign: false}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {ipAddressPools: [lan]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: routed, namespace: metallb-system}
spec: {addresses: [203.0.113.10-203.0.113.200, "2001:db8:f::10-2001:db8:f::ff"], autoAssign: false}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: routed, namespace: metallb-system}
spec: {ipAddressPools: [routed], communities: ["64512:100"]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: small, namespace: metallb-system}
spec: {addresses: [203.0.113.252-203.0.113.253, "2001:db8:e::1/128"], autoAssign: false}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: small, namespace: metallb-system}
spec: {ipAddressPools: [small], communities: ["64512:200", "64512:201"]}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One Service; `families` cannot change while it lives."""

    name: str
    pool: str
    key: str
    app: str
    port: int
    protocol: str
    families: tuple[str, ...]
    policy: str
    is_balanced: bool = True
    label: int = 0

    def patch(self) -> Raw:
        """As a merge patch: it takes away what was there before."""
        annotations: Raw = {POOL: self.pool, KEY: self.key or None}
        spec: Raw = {
            "type": "LoadBalancer" if self.is_balanced else "ClusterIP",
            "externalTrafficPolicy": self.policy if self.is_balanced else None,
            "ipFamilies": list(self.families),
            "ipFamilyPolicy": "RequireDualStack" if len(self.families) > 1 else "SingleStack",
            "selector": {"app": self.app},
            "ports": [{"port": self.port, "protocol": self.protocol, "targetPort": TARGETS[self.protocol]}],
        }
        metadata = {"name": self.name, "annotations": annotations, "labels": {"label": str(self.label)}}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    def body(self) -> Raw:
        """As it is created."""
        obj = self.patch()
        return {**obj, "metadata": _present(obj["metadata"]), "spec": _present(obj["spec"])}


def first(random: Random, name: str) -> Wish:
    """A new Service."""
    return Wish(
        name=name,
        pool=random.choice(POOLS),
        key=random.choice(KEYS),
        app=random.choice(APPS),
        port=random.choice(PORTS),
        protocol=random.choice(PROTOCOLS),
        families=random.choice(FAMILIES),
        policy=random.choice(POLICIES),
    )


def changed(random: Random, wish: Wish) -> Wish:
    """The same Service, wanted otherwise."""
    if not wish.is_balanced:
        return replace(wish, is_balanced=True)
    match random.choice(("policy", "policy", "port", "key", "pool", "label", "app", "type")):
        case "policy":
            return replace(wish, policy=POLICIES[wish.policy == POLICIES[0]])
        case "port":
            return replace(wish, port=random.choice(PORTS), protocol=random.choice(PROTOCOLS))
        case "key":
            return replace(wish, key=random.choice(KEYS))
        case "pool":
            return replace(wish, pool=random.choice(POOLS))
        case "label":
            return replace(wish, label=wish.label + 1)
        case "app":
            return replace(wish, app=random.choice(APPS))
        case _:
            return replace(wish, is_balanced=False)


def _present(fields: Raw) -> Raw:
    """Without what a patch takes away."""
    inner = {key: _present(value) if isinstance(value, dict) else value for key, value in fields.items()}
    return {key: value for key, value in inner.items() if value is not None}
