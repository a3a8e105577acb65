"""What must go on while something fails: Services of each kind, and clients that count each lost datagram.

A client sends 1000 datagrams per second; a flow keeps its ports, so routers and kube-proxies keep its path as long as
they can.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.e2e.cluster import configuration, picture, wire
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.machine import Machine
from tests.e2e.cluster.printed import announcers
from tests.e2e.cluster.waiting import eventually
from tests.e2e.cluster.workload import Workload
from tests.support import loss

SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, annotations: {{metallb.io/address-pool: {pool}}}}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: {policy}
  selector: {{app: web}}
  ports: [{{name: http, port: 80, targetPort: http}}, {{name: echo, port: 7, protocol: UDP, targetPort: 7}}]
"""
ROUTED, ROUTED_LOCAL, LAN, LAN_LOCAL = "routed", "routed-local", "lan", "lan-local"
SERVICES = {
    ROUTED: ("routed", "Cluster"),
    ROUTED_LOCAL: ("routed", "Local"),
    LAN: ("lan", "Cluster"),
    LAN_LOCAL: ("lan", "Local"),
}
"""Pool and policy. Clients of the routed ones are behind the router, those of the others on the LAN."""
STEADY = 500
"""Datagrams that are answered before anything is done."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A client's datagrams to a Service's address."""

    service: str
    machine: Machine
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}/"


@dataclass(slots=True)
class Losses:
    """The numbers of the datagrams that were not answered, by Service, once the clients have ended."""

    lost: dict[str, list[int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(map(len, self.lost.values()))

    def __str__(self) -> str:
        return "lost " + ", ".join(f"{service} {_runs(numbers)}" for service, numbers in self.lost.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Made by `begin`."""

    cluster: Cluster
    web: Workload
    flows: Mapping[str, Flow]

    def addresses(self) -> dict[str, str]:
        return {name: flow.address for name, flow in self.flows.items()}

    @contextlib.contextmanager
    def counted(self, *services: str) -> Iterator[Losses]:
        """Clients of these Services (all, if none is named) run during the block; the losses are there after it."""
        losses = Losses()
        with contextlib.ExitStack() as stack:
            clients = {
                name: stack.enter_context(loss.client(self.flows[name].machine.namespace, self.flows[name].address))
                for name in services or self.flows
            }
            for client in clients.values():
                client.wait_for(STEADY)
            yield losses
            losses.lost |= {name: client.stop() for name, client in clients.items()}


def begin(cluster: Cluster) -> Traffic:
    """The network's objects, four Services, a Pod on each node behind all of them; returns when every client is served."""
    cluster.apply(configuration.NETWORK)
    texts = [SERVICE.format(name=name, pool=pool, policy=policy) for name, (pool, policy) in SERVICES.items()]
    cluster.apply("\n---\n".join(texts))
    web = cluster.workload("web", replicas=len(cluster.nodes))
    flows = {}
    for name, (pool, _) in SERVICES.items():
        found = eventually(lambda: cluster.addresses(name), f"address of {name}")  # noqa: B023 - called at once
        flows[name] = Flow(name, cluster.client if pool == "routed" else cluster.neighbor, found[0])
    traffic = Traffic(cluster=cluster, web=web, flows=flows)
    eventually(lambda: is_everywhere(traffic), "routes of all nodes", within_s=60)
    for flow in flows.values():
        eventually(lambda: flow.machine.reaches(flow.url), f"answer of {flow.service}")  # noqa: B023 - called at once
    picture.wait_settled(cluster)
    return traffic


def is_everywhere(traffic: Traffic) -> bool:
    """Whether the router has a route to every node for what it routes."""
    routed = (traffic.flows[name].address for name in (ROUTED, ROUTED_LOCAL))
    return all(traffic.cluster.next_hops(address) == set(traffic.cluster.nodes) for address in routed)


def is_told(traffic: Traffic) -> bool:
    """Whether the statuses of each Service name who announces it, and nobody else."""
    cluster, found = traffic.cluster, {}
    for name, flow in traffic.flows.items():
        if name in {ROUTED, ROUTED_LOCAL}:
            found[name] = announcers(cluster, name, "bgp") == cluster.next_hops(flow.address)
        else:
            found[name] = announcers(cluster, name, "l2") == wire.answerers(cluster, flow.address)
    return all(found.values())


def _runs(numbers: Sequence[int]) -> str:
    """How many, and in how many gaps if they are not none or one: `12 (in 2 gaps, the longest 10)`."""
    gaps: list[int] = []
    before = None
    for number in numbers:
        if before is not None and number == before + 1:
            gaps[-1] += 1
        else:
            gaps.append(1)
        before = number
    return f"{len(numbers)} (in {len(gaps)} gaps, the longest {max(gaps)})" if gaps else "0"
