"""The nine steps of `ferrule lab demo`. Each does one thing to a running lab, says what it sees, and measures it.

A step returns an Outcome, or raises NotReady if what it waits for does not come. All times are seen from outside: at
clients, in the router's kernel, in files; the clock starts before the cause and stops after the effect was observed.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from statistics import median
from typing import Protocol, TypeVar

import msgspec

from orchestrator.lab import layout, namespaces, network, objects, probes, processes, record, router, topology
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.topology import Lab
from orchestrator.resources.core import Service

Result = TypeVar("Result")

REQUESTS = 30
STEADY_S = 1.0
"""For how long every request must have been answered before a service counts as restored, or as undisturbed."""
START_LIMIT_S = 30.0
OPEN_REQUESTS = 2
"""A connection that is open while its address moves breaks: at most one of each move; new ones are always served."""
CHANGE_LIMIT_S = 5.0
"""A change or failure whose effect takes longer than this does not hold; usual are 0.2 to 0.5 s."""


class Report(Protocol):
    """Where a step says what it sees."""

    def say(self, text: str) -> None: ...
    def block(self, title: str, text: str) -> None: ...
    def table(self, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one step measured, and whether everything that it claims was so."""

    measured: str
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`shown` is what the step claims."""

    shown: str
    run: Callable[[Lab, Report], Outcome]


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


# --- 1 and 2: what is there -------------------------------------------------------------------------------------


def bring_up(lab: Lab, report: Report) -> Outcome:
    """Manifests in, processes started; over when every Service has an address and the router all routes."""
    report.block("topology", layout.PICTURE)
    started = time.monotonic()
    for manifest in topology.initial_manifests():
        lab.drop(manifest)
    processes.start_all(lab)
    probes.until(lambda: _is_assigned(lab), "an address for every Service", limit_s=START_LIMIT_S)
    assigned = time.monotonic() - started
    services = objects.services(lab)
    announced = [found for service in services for found in objects.addresses(service) if not _is_on_lan(found)]
    probes.until(lambda: _is_routed(lab, announced), "routes by way of every node", limit_s=START_LIMIT_S)
    routed = time.monotonic() - started
    report.block(f"manifests in {lab.folder.manifests}", "\n".join(topology.initial_manifests()))
    report.table(("service", "address", "policy", "pool", "came from"), [_origin(service) for service in services])
    return Outcome(measured=f"addresses after {duration(assigned)}, routes after {duration(routed)}", held=True)


def _is_assigned(lab: Lab) -> bool:
    return all(map(objects.addresses, objects.services(lab)))


def _is_routed(lab: Lab, announced: list[str]) -> bool:
    """Whether each address has a route, and by way of each node there is one."""
    hops = [router.next_hops(lab, address) for address in announced]
    return all(hops) and frozenset().union(*hops) >= {str(node.address) for node in layout.NODES}


def _is_on_lan(address: str) -> bool:
    found = ip_address(address)
    return found in layout.LAN or found in layout.LAN6


def _origin(service: Service) -> tuple[str, ...]:
    notes = service.metadata.annotations
    if "metallb.io/loadBalancerIPs" in notes:
        origin = "requested address"
    elif "metallb.io/address-pool" in notes:
        origin = "requested pool"
    else:
        origin = "lowest free address of the pools"
    key = notes.get("metallb.io/allow-shared-ip")
    shared = f", shared under key {key}" if key else ""
    pool = notes.get("metallb.io/ip-allocated-from-pool", "?")
    policy = service.spec.external_traffic_policy
    return (service.metadata.name, ", ".join(objects.addresses(service)), policy, pool, origin + shared)


def show_node(lab: Lab, report: Report) -> Outcome:
    """What FRR on a node was given, and what FRR says about itself."""
    node = layout.NODES[0]
    run = lab.folder.run(node.name)
    text = run.frr_conf.read_text()
    report.block(f"{node.name}: {run.frr_conf}", text)
    began = time.monotonic()
    summary = router.vtysh(lab, lab.machines[node.name], run, "show bgp summary")
    took = time.monotonic() - began
    report.block(f"{node.name}: vtysh -c 'show bgp summary'", summary)
    hosts = {str(host.address) for host in layout.NODES}
    probes.until(lambda: router.watched(lab) >= hosts, "BFD with every node")
    sessions = router.established(lab)
    lines = len(text.splitlines())
    return Outcome(
        measured=f"{lines} lines, {len(sessions)} sessions, all with BFD; vtysh answered in {duration(took)}",
        held=str(layout.ROUTER_HOST.address) in summary and sessions >= hosts,
    )


# --- 3 and 4: traffic -------------------------------------------------------------------------------------------


def spread_requests(lab: Lab, report: Report) -> Outcome:
    """The router's next hops for `web`, and which nodes a client's connections go through."""
    address = probes.until(lambda: objects.address_of(lab, "web"), "the address of web")
    routes = lab.machines[layout.ROUTER].run(["ip", "route", "show", address]).stdout
    report.block("router: ip route", routes.expandtabs())
    hops = router.next_hops(lab, address)
    client = lab.machines[layout.CLIENT]
    probes.until(lambda: probes.get(client, address).answer, "an answer of web")
    requests = probes.get_many(client, address, REQUESTS)
    ways = probes.spread(requests, lambda answer: layout.node_of(answer.client) or answer.client)
    endpoints = probes.spread(requests, lambda answer: answer.endpoint)
    report.say(f"requests through {_counts(ways)}; answered by {_counts(endpoints)}")
    latency = median(request.latency_s for request in requests)
    answered = sum(ways.values())
    return Outcome(
        measured=f"{answered}/{REQUESTS} answered, {'/'.join(map(str, ways.values()))} per node, "
        f"median {latency * 1000:.1f} ms",
        held=answered == REQUESTS and len(hops) == len(ways) == len(layout.NODES),
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def resolve_on_lan(lab: Lab, report: Report) -> Outcome:
    """A client on the LAN asks who has `intranet`'s addresses: by ARP for the IPv4 one, by NDP for the IPv6 one."""
    machine = lab.machines[layout.NEIGHBOR]
    nodes = probes.until(lambda: objects.layer2_nodes(lab, "intranet"), "a node that answers for intranet")
    found = probes.until(lambda: objects.addresses_of(lab, "intranet"), "the addresses of intranet")
    requests = [_resolve(machine, address) for address in found]
    for address in found:
        report.block("LAN client: ip neigh", machine.run(["ip", "neigh", "show", "to", address]).stdout)
    owners = {owner_of(lab, address) for address in found}
    report.say(
        f"{', '.join(map(str, owners))} answers for {' and '.join(found)}, ServiceL2Status says {', '.join(nodes)}"
    )
    times = [f"{request.latency_s * 1000:.1f} ms" if request.answer else "no answer" for request in requests]
    return Outcome(
        measured=f"resolved and answered: IPv4 {times[0]}, IPv6 {times[-1]}; owner {nodes[0]}",
        held=len(found) == 2 and all(request.answer for request in requests) and owners == set(nodes),
    )


def _resolve(machine: Namespace, address: str) -> probes.Request:
    """A request from a client that must first ask who has the address."""
    probes.until(lambda: probes.get(machine, address).answer, f"an answer of {address}")
    machine.run(["ip", "neigh", "flush", "to", address])
    return probes.get(machine, address)


def owner_of(lab: Lab, address: str) -> str | None:
    """The node whose hardware address the LAN client knows for `address`."""
    mac = probes.neighbor_mac(lab.machines[layout.NEIGHBOR], address)
    macs = {namespaces.mac_address(lab.machines[node.name], layout.UPLINK): node.name for node in layout.NODES}
    return macs.get(mac or "")


# --- 5 to 8: changes and failures -------------------------------------------------------------------------------


def _soon(condition: Callable[[], Result | None], what: str) -> Result:
    """As probes.until, for what the step measures: asked often, and not waited for long."""
    return probes.until(condition, what, limit_s=CHANGE_LIMIT_S, interval_s=0.002)


def add_service(lab: Lab, report: Report) -> Outcome:
    """From a new file in the folder to a client's first answer."""
    started = time.monotonic()
    lab.drop("later/news.yaml")
    address = _soon(lambda: objects.address_of(lab, "news"), "the address of news")
    assigned = time.monotonic() - started
    with probes.Stream(lab.machines[layout.CLIENT], address) as stream:
        _soon(lambda: router.next_hops(lab, address), "the route of news")
        routed = time.monotonic() - started
        answered = _soon(stream.first_answer, "an answer of news").ended - started
    report.say(f"news: address {address} after {duration(assigned)}, in the router after {duration(routed)}")
    return Outcome(measured=f"first answered request after {duration(answered)}", held=True)


def remove_endpoint(lab: Lab, report: Report) -> Outcome:
    """`shop` keeps clients' addresses (Local): a node that loses its last endpoint must lose the route."""
    address = probes.until(lambda: objects.address_of(lab, "shop"), "the address of shop")
    hop = str(layout.node("node-c").address)
    probes.until(lambda: hop in router.next_hops(lab, address), "the route of shop by way of node-c")
    before = router.next_hops(lab, address)
    started = time.monotonic()
    lab.drop("later/shop-endpoints.yaml")
    _soon(lambda: hop not in router.next_hops(lab, address), "the end of node-c's route")
    took = time.monotonic() - started
    after = router.next_hops(lab, address)
    requests = probes.get_many(lab.machines[layout.CLIENT], address, REQUESTS)
    clients = probes.spread(requests, lambda answer: f"{answer.endpoint}, client {answer.client}")
    report.say(f"next hops of {address}: {_names(before)} -> {_names(after)}; answered by {_counts(clients)}")
    expected = {f"ep-a, client {layout.CLIENT_ADDRESS}": REQUESTS}
    return Outcome(measured=f"route gone after {duration(took)}", held=after == before - {hop} and clients == expected)


def _names(hops: frozenset[str]) -> str:
    return ", ".join(sorted(layout.node_of(hop) or hop for hop in hops)) or "none"


def move_by_hand(lab: Lab, report: Report) -> Outcome:
    """`ferrule failover` moves intranet's addresses away from their owner, and back, while a client keeps asking."""
    address = probes.until(lambda: objects.address_of(lab, "intranet"), "the address of intranet")
    owner = probes.until(lambda: owner_of(lab, address), "the owner of intranet's address")
    with probes.Stream(lab.machines[layout.NEIGHBOR], address) as stream:
        probes.until(stream.first_answer, "an answer before the move")
        started = time.monotonic()
        moved = _failover(lab, address)
        heir = _soon(lambda: _other_owner(lab, address, owner), "another owner")
        _failover(lab, address, "--undo")
        _soon(lambda: owner_of(lab, address) == owner, "the first owner again")
        probes.until(lambda: stream.lasted_s(started) >= STEADY_S, "requests after the moves")
    sent = [request for request in stream.requests if request.started >= started]
    lost = sum(not request.answer for request in sent)
    report.say(f"{owner} -> {heir} -> {owner}; {len(sent) - lost} of {len(sent)} requests answered meanwhile")
    took = duration(moved.seconds) if moved.seconds is not None else "more than the command waits"
    return Outcome(
        measured=f"moved in {took}, and back; {lost} of {len(sent)} requests lost",
        held=lost <= OPEN_REQUESTS and moved.seconds is not None,
    )


class Moved(msgspec.Struct, frozen=True):
    """What is read of the output of `ferrule failover -o json`."""

    seconds: float | None = None


def _failover(lab: Lab, *words: str) -> Moved:
    folders = ["--source", f"manifests:{lab.folder.manifests}", "--state", str(lab.folder.state)]
    command = [sys.executable, "-m", "orchestrator", "failover", *folders, "-o", "json", *words]
    done = subprocess.run(command, capture_output=True, check=True, timeout=START_LIMIT_S)
    return msgspec.json.decode(done.stdout, type=Moved)


def _other_owner(lab: Lab, address: str, owner: str) -> str | None:
    found = owner_of(lab, address)
    return found if found != owner else None


def kill_node(lab: Lab, report: Report) -> Outcome:
    """The node that answers for `intranet` dies: every process killed, cable out. Its routes and address must move."""
    bgp = probes.until(lambda: objects.address_of(lab, "news"), "the address of news")
    layer2 = probes.until(lambda: objects.address_of(lab, "intranet"), "the address of intranet")
    victim = probes.until(lambda: owner_of(lab, layer2), "the owner of intranet's address")
    hop = str(layout.node(victim).address)
    with (
        probes.Stream(lab.machines[layout.CLIENT], bgp) as far,
        probes.Stream(lab.machines[layout.NEIGHBOR], layer2) as near,
    ):
        probes.until(lambda: far.first_answer() and near.first_answer(), "answers before the node is killed")
        started = time.monotonic()
        record.kill_processes(lab.machines[victim])  # first: it shall not write that its carrier is lost
        network.unplug(lab.machines, victim)
        _soon(lambda: hop not in router.next_hops(lab, bgp), "the end of the dead node's routes")
        withdrawn = time.monotonic() - started
        for stream, clients in ((far, "BGP"), (near, "layer-2")):
            _await_steady(stream, started, clients)
    heir = owner_of(lab, layer2)
    report.say(f"{victim} killed; the router dropped its next hop after {duration(withdrawn)}")
    report.say(f"{layer2} moved from {victim} to {heir}; {bgp} by way of {_names(router.next_hops(lab, bgp))}")
    times = [duration(stream.served_again(started)) for stream in (far, near)]
    return Outcome(
        measured=f"served again: BGP clients after {times[0]}, layer-2 clients after {times[1]}",
        held=heir not in (None, victim) and hop not in router.next_hops(lab, bgp),
    )


def _await_steady(stream: probes.Stream, since: float, clients: str) -> None:
    what = f"every request of {clients} clients answered for {STEADY_S:g} s"
    probes.until(lambda: stream.is_steady_since(since, STEADY_S), what, limit_s=CHANGE_LIMIT_S + STEADY_S)


# --- 9: a mistake -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that a broken object must not change."""

    sessions: tuple[tuple[str, router.Session], ...]
    routes: tuple[tuple[str, frozenset[str]], ...]
    documents: tuple[str, ...]


def break_configuration(lab: Lab, report: Report) -> Outcome:
    """A BGPPeer with a typo: everybody says so, nobody acts on it."""
    alive = [node for node in layout.NODES if namespaces.members(lab.machines[node.name])]
    components = {f"speaker-{node.name}" for node in alive}
    address = probes.until(lambda: objects.address_of(lab, "news"), "the address of news")
    before = _picture(lab, alive)
    with probes.Stream(lab.machines[layout.CLIENT], address) as stream:
        started = time.monotonic()
        path = lab.drop("later/broken-peer.yaml")
        _soon(lambda: components <= objects.configuration_errors(lab).keys(), "the report of the broken peer")
        took = time.monotonic() - started
        probes.until(lambda: stream.lasted_s(started) >= STEADY_S, "requests after the report")
    after = _picture(lab, alive)
    errors = objects.configuration_errors(lab)
    report.block(f"{path.name}: ConfigurationState of {', '.join(errors)}", "\n".join(sorted(set(errors.values()))))
    lost = sum(not request.answer for request in stream.requests)
    unchanged = "unchanged" if after == before else "CHANGED"
    report.say(f"sessions, routes and documents of {_plain(alive)}: {unchanged}")
    report.say(f"{len(stream.requests) - lost} of {len(stream.requests)} requests answered meanwhile")
    named = all("BGPPeer" in errors[name] and "typo" in errors[name] for name in components)
    return Outcome(
        measured=f"reported after {duration(took)}, {lost} requests lost, sessions {unchanged}",
        held=named and after == before and not lost,
    )


def _plain(nodes: list[layout.NodeHost]) -> str:
    return ", ".join(node.name for node in nodes)


def _picture(lab: Lab, alive: list[layout.NodeHost]) -> Picture:
    hosts = {str(node.address) for node in alive}
    found = router.sessions(lab)
    addresses = sorted({address for service in objects.services(lab) for address in objects.addresses(service)})
    return Picture(
        sessions=tuple(sorted((host, found[host]) for host in hosts & found.keys())),
        routes=tuple((address, router.next_hops(lab, address)) for address in addresses),
        documents=tuple(lab.folder.run(node.name).frr_conf.read_text() for node in alive),
    )


STEPS = (
    Step(shown="manifests in, addresses and routes out", run=bring_up),
    Step(shown="a node's frr.conf and its sessions", run=show_node),
    Step(shown="ECMP route; requests spread over the nodes", run=spread_requests),
    Step(shown="ARP and NDP answered for a LAN Service", run=resolve_on_lan),
    Step(shown="a Service added while running", run=add_service),
    Step(shown="the last local endpoint of a node removed", run=remove_endpoint),
    Step(shown="a layer-2 address moved by hand, and back", run=move_by_hand),
    Step(shown="a node killed", run=kill_node),
    Step(shown="a broken BGPPeer: reported, nothing else changed", run=break_configuration),
)
