"""Two thousand changes of Services, pools, advertisements and communities: the sessions must not notice.

Each change writes one manifest anew, chosen at random (the seed is fixed). When all is quiet the router has exactly what
a fresh computation from the same objects gives, and not one session has been established a second time.
"""

import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from random import Random

import msgspec

from orchestrator.decide.eligibility import NodeView
from orchestrator.lab import layout, probes, router
from orchestrator.net.bgp import BgpEngine
from orchestrator.resources.classes import CLASSLESS
from orchestrator.runtime.offline import compute, outcome_on
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.manifests.reader import read_manifests
from tests.bench import manifests
from tests.bench.path import NODE, RunningPath, running_path
from tests.bench.rows import Row, Scope

CHANGES = 2000
SERVICES = 60
STANDING = 200
PACE_S = 0.02
"""So that some changes fall into one batch, and others do not."""
SETTLE_S = 120.0
SEED = 20

POOL = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: extra, namespace: metallb-system}}
spec: {{addresses: ["198.51.100.0/{length}"], autoAssign: {auto}}}
"""
ADVERTISEMENT = """\
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{ipAddressPools: [few], localPref: 0, med: {med}, asPathPrepend: {times}, communities: [{communities}]{more}}}
"""
COMMUNITY = """\
apiVersion: metallb.io/v1beta1
kind: Community
metadata: {{name: names, namespace: metallb-system}}
spec: {{communities: [{{name: blue, value: "64512:{number}"}}]}}
"""


class Routes(msgspec.Struct, frozen=True):
    routes: dict[str, object] = {}


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each engine."""
    for engine in BgpEngine:
        with running_path(STANDING, engine) as path:
            path.settle(STANDING)
            yield _survive(path, scope.times(CHANGES))


def _survive(path: RunningPath, changes: int) -> Row:
    before = router.sessions(path.lab)
    started = time.monotonic()
    _storm(path, Random(SEED), changes)
    what = "what a fresh computation gives"
    probes.until(lambda: _router_has(path) == _wanted(path), what, limit_s=SETTLE_S, interval_s=1.0)
    took = f"{time.monotonic() - started:.0f} s"
    after = router.sessions(path.lab)
    flaps = sum(
        after[each].connections_established - session.connections_established for each, session in before.items()
    )
    note = f"{changes} changes within {took}, {len(_router_has(path))} prefixes at the end"
    return Row(name=f"sessions lost in a storm, {path.engine.value}", figure=flaps, unit="", budget="0", note=note)


def _storm(path: RunningPath, random: Random, changes: int) -> None:
    kinds: tuple[Callable[[Random], tuple[str, str]], ...] = (
        _service,
        _service,
        _endpoint,
        _endpoint,
        _advertisement,
        _pool,
        _community,
    )
    for _ in range(changes):
        name, text = random.choice(kinds)(random)
        path.lab.write_manifest(name, text)
        time.sleep(PACE_S)
    path.lab.write_manifest("community.yaml", COMMUNITY.format(number=7))


def _service(random: Random) -> tuple[str, str]:
    """A Service that is there, has gone, or asks for another address."""
    number = random.randrange(SERVICES)
    name = f"storm-{number}"
    if random.random() < 0.2:
        return f"{name}.yaml", "# none\n"
    address: IPv4Address = manifests.FEW[number + random.choice((0, 0, 100))]
    policy = random.choice(("Local", "Cluster"))
    return f"{name}.yaml", manifests.service(name, policy=policy, address=address)


def _endpoint(random: Random) -> tuple[str, str]:
    name = f"storm-{random.randrange(SERVICES)}"
    return f"{name}-endpoints.yaml", manifests.endpoint_slice(name, NODE, ready=random.random() < 0.7)


def _advertisement(random: Random) -> tuple[str, str]:
    name = random.choice(("first", "second"))
    if random.random() < 0.2:
        return f"{name}.yaml", "# none\n"
    communities = random.sample(["blue", "64512:1", "64512:2", "no-export", "large:64512:1:2"], random.randrange(4))
    text = ADVERTISEMENT.format(
        name=name,
        med=random.choice((0, 10)),
        times=random.choice((0, 0, 2)),
        communities=", ".join(f'"{each}"' for each in communities),
        more=random.choice(
            ("", ", aggregationLength: 28", f", nodeSelectors: [{{matchLabels: {{kubernetes.io/hostname: {NODE}}}}}]")
        ),
    )
    return f"{name}.yaml", text


def _pool(random: Random) -> tuple[str, str]:
    return "extra.yaml", POOL.format(length=random.choice((24, 25, 26)), auto=random.choice(("true", "false")))


def _community(random: Random) -> tuple[str, str]:
    return "community.yaml", COMMUNITY.format(number=random.randrange(1, 9))


def _router_has(path: RunningPath) -> frozenset[str]:
    text = router.vtysh(
        path.lab, path.lab.machines[layout.ROUTER], path.lab.folder.router, "show bgp ipv4 unicast json"
    )
    return frozenset(msgspec.json.decode(text, type=Routes).routes)


def _wanted(path: RunningPath) -> frozenset[str]:
    """What a fresh computation announces; the statuses that the controller wrote count."""
    read = [
        read_manifests([str(folder)], DEFAULT_NAMESPACE)
        for folder in (path.lab.folder.manifests, path.lab.folder.state)
    ]
    computed = compute(read[0], read[1], DEFAULT_NAMESPACE, CLASSLESS)
    plan = outcome_on(computed, computed.config.nodes[NODE], NodeView(node=NODE), path.engine).plan
    return frozenset(map(str, plan.routes))
