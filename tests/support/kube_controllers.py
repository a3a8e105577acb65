"""Controllers as processes beside a real API server, and what a user does and sees there."""

import contextlib
import http.client
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.resources.kinds import BY_NAME, KINDS
from orchestrator.sources.kube import paths
from tests.support.plane import Plane
from tests.support.plane_fixture import Tenant

CRDS = Path("deploy/crds")
LIMIT_S = 60.0
LEASE = "ferrule-controller"
LEASE_FLAGS = (
    "--leader-elect-lease-duration=4",
    "--leader-elect-renew-deadline=3",
    "--leader-elect-retry-period=0.5",
)
LEASE_S = 4.0
HEALTH_PORT, METRICS_PORT = 17472, 9120


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@dataclass
class Controller:
    """`ferrule controller` in the plane's network namespace."""

    name: str
    process: "subprocess.Popen[str]"
    log: Path
    cluster: "Cluster"
    number: int

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def decided(self) -> dict[str, list[str]]:
        """The addresses that it wrote last to each Service; a status read before that came back is written once more."""
        return {str(line["service"]).partition("/")[2]: line["ips"] for line in self.logged("status written")}

    @property
    def leads(self) -> bool:
        return self.cluster.holder == self.name

    def ready(self) -> dict[str, str]:
        """What /readyz says, ready or not; empty before it is served."""
        try:
            text = self._page(HEALTH_PORT, "readyz")
        except OSError:
            return {}
        return {name: rest for name, _, rest in (line.partition(": ") for line in text.splitlines())}

    def writes(self) -> float:
        """How many requests that change something it has sent, its Lease aside."""
        lines = (line for line in self._page(METRICS_PORT, "metrics").splitlines() if "api_requests_total{" in line)
        verbs = ('verb="patch"', 'verb="update"', 'verb="create"', 'verb="delete"')
        counted = [line for line in lines if "leases" not in line and any(verb in line for verb in verbs)]
        return sum(float(line.rpartition(" ")[2]) for line in counted)

    def _page(self, port: int, path: str) -> str:
        def fetch() -> str:
            connection = http.client.HTTPConnection("127.0.0.1", port + self.number, timeout=5)
            with contextlib.closing(connection):
                connection.request("GET", f"/{path}")
                return connection.getresponse().read().decode()

        return self.cluster.plane.namespace.inside(fetch)

    def end(self) -> float:
        """SIGTERM; returns how long it took to end, and fails if it did not end well."""
        started = time.monotonic()
        self.process.terminate()
        status = self.process.wait(LIMIT_S)
        took = time.monotonic() - started
        assert status == 0, self.log.read_text()[-3000:]
        return took

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT_S)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@dataclass
class Cluster:
    """One test's part of a plane: a namespace for Ferrule's objects, one for Services."""

    plane: Plane
    system: str
    apps: str
    folder: Path
    controllers: list[Controller] = field(default_factory=list)

    # What a user does -----------------------------------------------------------------------------------------------

    def send(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        status, answer = self.plane.request(method, path, body, content_type)
        assert status < 300, (method, path, status, answer)
        return answer

    def pool(self, name: str, *addresses: str, **spec: object) -> None:
        """Create or replace an IPAddressPool."""
        self.configure("IPAddressPool", name, addresses=list(addresses), **spec)

    def configure(self, kind: str, name: str, **spec: object) -> None:
        """Create or replace an object of our own namespace."""
        known = BY_NAME[kind]
        body = {
            "apiVersion": known.api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.system},
            "spec": spec,
        }
        path = f"{paths.item(known, self.system, name)}?fieldManager=user&force=true"
        self.send("PATCH", path, body, "application/apply-patch+yaml")

    def remove_pool(self, name: str) -> None:
        self.send("DELETE", f"/apis/metallb.io/v1beta1/namespaces/{self.system}/ipaddresspools/{name}")

    def service(self, name: str, metadata: Mapping[str, object] | None = None, **spec: object) -> dict[str, Any]:
        """Create a Service of type LoadBalancer; return it."""
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": self.apps, **(metadata or {})},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
        }
        created: dict[str, Any] = self.send("POST", f"{self._services}", body)
        return created

    def remove_service(self, name: str) -> None:
        self.send("DELETE", f"{self._services}/{name}")

    def write_status(self, name: str, address: str, manager: str, pool: str) -> None:
        """As MetalLB's controller does it."""
        body = {
            "metadata": {"annotations": {"metallb.io/ip-allocated-from-pool": pool}},
            "status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}},
        }
        path = f"{self._services}/{name}/status?fieldManager={manager}"
        self.send("PATCH", path, body, "application/merge-patch+json")

    # What a user sees -----------------------------------------------------------------------------------------------

    @property
    def _services(self) -> str:
        return f"/api/v1/namespaces/{self.apps}/services"

    def services(self) -> dict[str, dict[str, Any]]:
        return {item["metadata"]["name"]: item for item in self.send("GET", self._services)["items"]}

    def addresses(self) -> dict[str, list[str]]:
        """Of every Service, in the order of its status."""
        return {name: addresses_of(service) for name, service in self.services().items()}

    def versions(self) -> dict[str, str]:
        return {name: service["metadata"]["resourceVersion"] for name, service in self.services().items()}

    def address(self, name: str) -> str:
        """Wait for the Service's address."""
        wait_until(lambda: bool(self.addresses().get(name)), f"no address for {name}: {self.words()}")
        return self.addresses()[name][0]

    def lease(self) -> dict[str, Any]:
        """The controllers' Lease; an empty one if there is none."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.system}/leases/{LEASE}"
        status, answer = self.plane.request("GET", path)
        return answer if status == 200 else {"spec": {}}

    @property
    def holder(self) -> str:
        return str(self.lease()["spec"].get("holderIdentity", ""))

    def own(self, plural: str, name: str) -> dict[str, Any]:
        """One of Ferrule's objects; empty if it is not there."""
        (kind,) = (kind for kind in KINDS if kind.plural == plural)
        status, answer = self.plane.request("GET", paths.item(kind, self.system, name))
        return answer if status == 200 else {}

    def events(self, name: str) -> set[str]:
        """Reasons of the events on a Service."""
        found = self.send("GET", f"/apis/events.k8s.io/v1/namespaces/{self.apps}/events")["items"]
        return {item["reason"] for item in found if item["regarding"]["name"] == name}

    # Controllers ----------------------------------------------------------------------------------------------------

    def start(self, *flags: str) -> Controller:
        """Start another controller; it may not lead yet."""
        number = len(self.controllers)
        name, log = f"controller-{number}", self.folder / f"controller-{number}.log"
        command = [sys.executable, "-m", "orchestrator", "controller", "--source", "kube", "--pod-name", name]
        command += ["--kubeconfig", str(self.plane.kubeconfig()), "--namespace", self.system, *LEASE_FLAGS]
        command += [f"--port={METRICS_PORT + number}", f"--health-probe-port={HEALTH_PORT + number}", *flags]
        with log.open("w") as stream:
            process = self.plane.namespace.popen(command, stdout=stream, stderr=stream)
        controller = Controller(name, process, log, self, number)
        self.controllers.append(controller)
        return controller

    def pair(self, *flags: str) -> tuple[Controller, Controller]:
        """A controller that leads, and one that stands by."""
        leader = self.start(*flags)
        wait_until(lambda: leader.leads, "nobody leads")
        other = self.start(*flags)
        wait_until(lambda: "standing by" in other.ready().get("leader", ""), f"{other.name} does not stand by")
        return leader, other

    def words(self) -> str:
        return "\n".join(f"--- {each.name}\n{each.log.read_text()[-1500:]}" for each in self.controllers)

    def close(self) -> None:
        for controller in self.controllers:
            if controller.process.poll() is None:
                controller.kill()
        self.send("DELETE", self._services)


def addresses_of(service: Mapping[str, Any]) -> list[str]:
    return [entry["ip"] for entry in service["status"].get("loadBalancer", {}).get("ingress", ())]


@contextlib.contextmanager
def cluster(tenant: Tenant, folder: Path) -> Iterator[Cluster]:
    """A part of the tenant's plane with the CRDs, and a pool `lan` of 192.0.2.0/24; its controllers end with it."""
    plane = tenant.plane
    plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    system = f"system-{secrets.token_hex(4)}"
    running = Cluster(plane, system, tenant.name, folder)
    running.send("POST", "/api/v1/namespaces", {"metadata": {"name": system}})
    wait_until(lambda: bool(plane.request("GET", "/apis/metallb.io/v1beta1")[0] == 200), "the CRDs are not served")
    try:
        running.pool("lan", "192.0.2.1-192.0.2.250")
        yield running
    finally:
        running.close()


def missing(addresses: Mapping[str, Sequence[str]]) -> list[str]:
    """The Services that have none."""
    return [name for name, held in addresses.items() if not held]
