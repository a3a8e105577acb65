"""Three minutes in which people change Services and workloads, and processes of ours end: one sequence, by one seed.

What is drawn does not depend on what the cluster does, so the same seed gives the same sequence on any machine.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from tests.e2e.chaos import wishes
from tests.e2e.chaos.blows import Blow, Striker, deck
from tests.e2e.chaos.wishes import APPS, Wish
from tests.e2e.cluster import workload
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.workload import Workload

SLOTS = 22
CHANGE_S, BLOW_S = 0.9, 3.5
"""Mean pauses, of changes and of blows: with them each card of the deck is played within three minutes."""
LONGEST_PAUSE_S = 5.0
REPLICAS = (0, 1, 2, 3)
PROBE_S = 4
"""Slow probes: a dozen Pods are ready or not, and the machine has other work."""
SERVICES = "/api/v1/namespaces/default/services"
MERGE = "application/merge-patch+json"


def start_workload(cluster: Cluster, name: str) -> Workload:
    """A Deployment of the web image alone, probed seldom."""
    body = workload.deployment(name, replicas=2, labels={"app": name}, namespace="default", node_selector={})
    spec = body["spec"]["template"]["spec"]
    web = spec["containers"][0]
    web["readinessProbe"]["periodSeconds"] = PROBE_S
    spec["containers"] = [web]
    cluster.apply(json.dumps(body))
    found = Workload(cluster=cluster, name=name, namespace="default", labels={"app": name})
    found.wait_rolled_out()
    return found


@dataclass(slots=True)
class Turmoil:
    """`lines` tell what was done; `missed` counts blows that found nobody."""

    cluster: Cluster
    random: Random
    lines: list[str] = field(default_factory=list)
    played: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    wishes: dict[str, Wish] = field(default_factory=dict)
    _unready: dict[str, str] = field(default_factory=dict)

    def run(self, duration_s: float) -> None:
        """Until the time is over; then everybody may go on, and all Pods may be ready."""
        striker = Striker(self.cluster)
        pending = {"change": 0.0, "blow": BLOW_S}
        actions = self._actions(striker)
        begun = time.monotonic()
        try:
            while (now := time.monotonic() - begun) < duration_s:
                striker.wake()
                kind, due = min(pending.items(), key=lambda each: each[1])
                if due > now:
                    time.sleep(min(due - now, 0.1))
                    continue
                pending[kind] += self.random.expovariate(1 / (CHANGE_S if kind == "change" else BLOW_S))
                self.lines.append(f"{now:7.2f} {actions[kind]()}")
        finally:
            striker.wake_all()
        for pod in tuple(self._unready):
            self._make_ready(pod)

    def create_all(self) -> None:
        """The Services to begin with."""
        for number in range(SLOTS):
            self._create(f"svc-{number:02}")

    def _actions(self, striker: Striker) -> dict[str, Callable[[], str]]:
        cards = deck(sorted(self.cluster.nodes), Random(self.random.random()))
        return {"change": self._change, "blow": lambda: self._blow(striker, cards)}

    def _blow(self, striker: Striker, cards: Iterator[Blow]) -> str:
        card, pause_s = next(cards), self.random.uniform(0.5, LONGEST_PAUSE_S)
        hit = striker.strike(card, pause_s)
        self.missed += not hit
        self.played[str(card)] += hit
        return f"{card}{'' if hit else ': nobody there'}"

    def _change(self) -> str:
        number, kind, which = self.random.randrange(SLOTS), self.random.random(), self.random.random()
        name = f"svc-{number:02}"
        if kind < 0.12:
            return self._scale(which)
        if kind < 0.3:
            return self._turn_readiness(which)
        wish = self.wishes.get(name)
        if wish is None:
            return self._create(name)
        if kind < 0.45:
            del self.wishes[name]
            self._request("DELETE", f"/{name}")
            return f"delete {name}"
        wanted = self.wishes[name] = wishes.changed(self.random, wish)
        self._request("PATCH", f"/{name}", wanted.patch())
        return f"change {name}: {_differences(wish, wanted)}"

    def _create(self, name: str) -> str:
        wish = self.wishes[name] = wishes.first(self.random, name)
        self._request("POST", "", wish.body())
        return f"create {wish}"

    def _request(self, method: str, path: str, body: object = None) -> None:
        kind = MERGE if method == "PATCH" else "application/json"
        status, answer = self.cluster.plane.request(method, f"{SERVICES}{path}", body, kind)
        assert status in {200, 201}, answer

    def _scale(self, which: float) -> str:
        app, replicas = APPS[int(which * len(APPS))], self.random.choice(REPLICAS)
        path = f"/apis/apps/v1/namespaces/default/deployments/{app}/scale"
        status, answer = self.cluster.plane.request("PATCH", path, {"spec": {"replicas": replicas}}, MERGE)
        assert status == 200, answer
        return f"scale {app} to {replicas}"

    def _turn_readiness(self, which: float) -> str:
        """Of one of the Pods that run."""
        pods = [pod for pod in self.cluster.pods(f"app in ({','.join(APPS)})") if pod["status"]["phase"] == "Running"]
        alive = [str(pod["metadata"]["name"]) for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        if not alive:
            return "no pod to make unready"
        pod = alive[int(which * len(alive))]
        if pod in self._unready:
            self._make_ready(pod)
            return f"{pod} ready"
        self._workload(pod).make_unready(pod)
        self._unready[pod] = pod
        return f"{pod} unready"

    def _make_ready(self, pod: str) -> None:
        del self._unready[pod]
        try:
            self._workload(pod).make_ready(pod)
        except (AssertionError, FileNotFoundError):
            return  # it was scaled away

    def _workload(self, pod: str) -> Workload:
        name = pod.partition("-")[0]
        return Workload(cluster=self.cluster, name=name, namespace="default", labels={"app": name})


def _differences(before: Wish, after: Wish) -> str:
    fields = [name for name in Wish.__slots__ if getattr(before, name) != getattr(after, name)]
    return ", ".join(f"{name} {getattr(before, name)} -> {getattr(after, name)}" for name in fields) or "nothing"
