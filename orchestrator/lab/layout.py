"""Who is in the lab and which addresses they have; all ranges are for documentation (RFC 5737, RFC 3849) or private.

Each machine is a network namespace. `control` has no cable: the controller and the datapath read and write files only.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

PICTURE = """
client ---- router ====== lan (a switch) ====== node-a   node-b   node-c
198.51.100.10    .254      192.0.2.0/24          .11      .12      .13
                               |                  |        |        |
                           neighbor .100         ep-a     ep-b     ep-c    10.244.{1,2,3}.10

IPv6 beside it: 2001:db8:1::/64 on the lan, fd00:10:244:{1,2,3}::/64 behind the nodes, with the same last numbers
"""

SWITCH, ROUTER, CLIENT, NEIGHBOR, CONTROL = "switch", "router", "client", "neighbor", "control"

LAN = IPv4Network("192.0.2.0/24")
LAN6 = IPv6Network("2001:db8:1::/64")
CLIENT_NETWORK = IPv4Network("198.51.100.0/24")

UPLINK = "eth0"
"""A machine's interface on the LAN (the client's: to the router)."""
PODS = "cni0"
"""A node's bridge to its endpoints."""
ENDPOINT_PORT = 8080


@dataclass(frozen=True, slots=True)
class LanHost:
    """A machine on the LAN; `number` is the last part of its addresses."""

    name: str
    number: int

    @property
    def address(self) -> IPv4Address:
        return LAN[self.number]

    @property
    def on_link(self) -> tuple[str, str]:
        """Its IPv4 and IPv6 address with prefix length."""
        return f"{self.address}/{LAN.prefixlen}", f"{self.address6}/{LAN6.prefixlen}"

    @property
    def address6(self) -> IPv6Address:
        return LAN6[int(str(self.number), 16)]


@dataclass(frozen=True, slots=True)
class NodeHost(LanHost):
    """A node; its endpoints live behind it in a network of their own."""

    pods: IPv4Network
    pods6: IPv6Network

    @property
    def gateway(self) -> IPv4Address:
        return self.pods[1]

    @property
    def gateway6(self) -> IPv6Address:
        return self.pods6[1]

    @property
    def endpoint(self) -> "EndpointHost":
        """The endpoint that is there from the start: node-a has ep-a."""
        return EndpointHost(f"ep-{self.name.removeprefix('node-')}", self, self.pods[10], self.pods6[0x10])


@dataclass(frozen=True, slots=True)
class EndpointHost:
    """Where an endpoint of Services runs: behind `node`."""

    name: str
    node: NodeHost
    address: IPv4Address
    address6: IPv6Address


NODES = tuple(
    NodeHost(
        f"node-{letter}",
        10 + index,
        IPv4Network(f"10.244.{index}.0/24"),
        IPv6Network(f"fd00:10:244:{index}::/64"),
    )
    for index, letter in enumerate("abc", start=1)
)
ROUTER_HOST = LanHost(ROUTER, 254)
NEIGHBOR_HOST = LanHost(NEIGHBOR, 100)
CLIENT_GATEWAY, CLIENT_ADDRESS = CLIENT_NETWORK[254], CLIENT_NETWORK[10]

MACHINES = (SWITCH, ROUTER, CLIENT, NEIGHBOR, CONTROL, *(node.name for node in NODES))


def node(name: str) -> NodeHost:
    """Return a node by name. Raises KeyError."""
    return {host.name: host for host in NODES}[name]


def node_of(address: str) -> str | None:
    """Return the node that has this address, on the LAN or towards its endpoints: what masquerading leaves behind."""
    return next((node.name for node in NODES if address in (str(node.address), str(node.gateway))), None)
