"""Objects that a person writes for this cluster's network: the router as peer, pools for it and for the LAN."""

PEERS = """
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.254, holdTime: 9s, keepaliveTime: 3s, connectTime: 1s}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router6, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: "2001:db8:1::254", holdTime: 9s, keepaliveTime: 3s, connectTime: 1s}
"""
"""See lab/router/bgpd.conf for the router's side."""

ROUTED = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: routed, namespace: metallb-system}
spec: {addresses: [203.0.113.10-203.0.113.250, "2001:db8:f::10-2001:db8:f::ff"]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: routed, namespace: metallb-system}
spec: {ipAddressPools: [routed]}
"""
"""Any Service; announced to the router by each node."""

LAN = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [192.0.2.200-192.0.2.220, "2001:db8:1::200-2001:db8:1::220"], autoAssign: false}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {ipAddressPools: [lan]}
"""
"""Services that ask for it; one node answers ARP and NDP."""

NETWORK = f"{PEERS}---{ROUTED}---{LAN}"
