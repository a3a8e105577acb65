"""Builds the network of a lab: machines, cables, addresses, routes. What they are is written in `layout`."""

from collections.abc import Mapping

from orchestrator.lab import layout, namespaces
from orchestrator.lab.layout import EndpointHost, LanHost, NodeHost
from orchestrator.lab.namespaces import Namespace

Machines = Mapping[str, Namespace]

LAN_BRIDGE = "lan"
NODE_SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.ipv4.icmp_ratelimit": 0,  # a reject that is rate-limited looks like a time-out
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0,  # forwarding to another node leaves by the interface it came in
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv6.conf.all.forwarding": 1,
}
ROUTER_SYSCTLS = NODE_SYSCTLS | {"net.ipv4.fib_multipath_hash_policy": 1}
"""With policy 0 all connections of one client go to one node: ports are no part of the hash (experiments 2)."""


def build(machines: Machines) -> None:
    """Wire the machines of layout.MACHINES; the namespaces are fresh."""
    namespaces.bridge(machines[layout.SWITCH], LAN_BRIDGE)
    _set_all(machines[layout.ROUTER], ROUTER_SYSCTLS)
    for node in layout.NODES:
        _set_all(machines[node.name], NODE_SYSCTLS)
    for host in (layout.ROUTER_HOST, layout.NEIGHBOR_HOST, *layout.NODES):
        plug_into_lan(machines, host)
    _connect_client(machines)
    for node in layout.NODES:
        _prepare_node(machines[node.name], node)
    namespaces.add_route(machines[layout.NEIGHBOR], "0.0.0.0/0", str(layout.ROUTER_HOST.address))


def switch_port(machine: str) -> str:
    """Return the switch's interface that the machine is plugged into."""
    return f"to-{machine}"


def unplug(machines: Machines, machine: str) -> None:
    """Take the machine's link to the LAN down at the switch: both ends lose their carrier."""
    namespaces.set_down(machines[layout.SWITCH], switch_port(machine))


def plug(machines: Machines, machine: str) -> None:
    """Undo `unplug`."""
    namespaces.set_up(machines[layout.SWITCH], switch_port(machine))


def add_endpoint(machines: Machines, endpoint: EndpointHost) -> None:
    """Put an endpoint's machine behind its node."""
    node, machine = machines[endpoint.node.name], machines[endpoint.name]
    port = f"to-{endpoint.name}"
    namespaces.connect(node, port, machine, layout.UPLINK)
    namespaces.attach(node, port, layout.PODS)
    namespaces.add_address(machine, layout.UPLINK, f"{endpoint.address}/{endpoint.node.pods.prefixlen}")
    namespaces.add_address(machine, layout.UPLINK, f"{endpoint.address6}/{endpoint.node.pods6.prefixlen}")
    namespaces.add_route(machine, "0.0.0.0/0", str(endpoint.node.gateway))
    namespaces.add_route(machine, "::/0", str(endpoint.node.gateway6))


def plug_into_lan(machines: Machines, host: LanHost) -> None:
    """Give a machine without a cable one to the switch, and its addresses."""
    switch, machine = machines[layout.SWITCH], machines[host.name]
    port = switch_port(host.name)
    namespaces.connect(switch, port, machine, layout.UPLINK)
    namespaces.attach(switch, port, LAN_BRIDGE)
    for address in host.on_link:
        namespaces.add_address(machine, layout.UPLINK, address)


def _connect_client(machines: Machines) -> None:
    router, client = machines[layout.ROUTER], machines[layout.CLIENT]
    namespaces.connect(router, "to-client", client, layout.UPLINK)
    length = layout.CLIENT_NETWORK.prefixlen
    namespaces.add_address(router, "to-client", f"{layout.CLIENT_GATEWAY}/{length}")
    namespaces.add_address(client, layout.UPLINK, f"{layout.CLIENT_ADDRESS}/{length}")
    namespaces.add_route(client, "0.0.0.0/0", str(layout.CLIENT_GATEWAY))


def _prepare_node(machine: Namespace, node: NodeHost) -> None:
    namespaces.bridge(machine, layout.PODS)
    namespaces.add_address(machine, layout.PODS, f"{node.gateway}/{node.pods.prefixlen}")
    namespaces.add_address(machine, layout.PODS, f"{node.gateway6}/{node.pods6.prefixlen}")
    namespaces.add_route(machine, "0.0.0.0/0", str(layout.ROUTER_HOST.address))
    for other in layout.NODES:
        if other != node:
            namespaces.add_route(machine, str(other.pods), str(other.address))
            namespaces.add_route(machine, str(other.pods6), str(other.address6))


def _set_all(machine: Namespace, sysctls: Mapping[str, int]) -> None:
    for key, value in sysctls.items():
        machine.sysctl(key, value)
