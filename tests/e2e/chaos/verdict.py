"""How what is differs from what should be, as lines for a person; none is the aim."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.render.canonical import parse
from orchestrator.render.difference import difference
from orchestrator.supervise.frr import GUARD
from tests.e2e.chaos import observed
from tests.e2e.chaos.fresh import Fresh, compute
from tests.e2e.chaos.wishes import ALLOCATED_FROM
from tests.e2e.cluster import wire
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.history import History, Version


def differences(cluster: Cluster) -> list[str]:
    """Everything that is not as a fresh computation has it."""
    pods = observed.speakers(cluster)
    if not pods or not observed.controllers(cluster):
        return ["not every pod of ours is ready, once per node"]
    fresh = compute(cluster)
    return [
        *fresh.wrong_statuses(),
        *_pools(fresh),
        *_waiting(cluster, fresh),
        *_routes(cluster, fresh),
        *_owners(cluster, fresh),
        *_statements(cluster, fresh),
        *(line for node, pod in pods.items() for line in _daemons(cluster, fresh, node, pod)),
        *_own_objects(cluster, fresh),
    ]


def lost_addresses(history: History) -> list[str]:
    """Services whose address went or changed although they could have kept it.

    What is wanted at that moment is compared with what was wanted when the address was given: a Service that shares may
    lose it by any change of its own, another one only by a change of pool, families or type. A change of one that it
    shares with excuses it, too: a controller that starts after that change finds two that contradict each other, and
    knows only which is the older.
    """
    given: dict[str, Version] = {}
    latest: dict[str, Version] = {}
    found = []
    for version in history.versions():
        before = given.setdefault(version.uid, version)
        had, has = _addresses(before.obj), _addresses(version.obj)
        if had != has:
            others = [(given[uid], now) for uid, now in latest.items() if uid != version.uid and {*had} & _held(now)]
            excused = any(_wanted(then.obj) != _wanted(now.obj) for then, now in others)
            given[version.uid] = version
            if had and _must_keep(before.obj, version.obj) and not excused:
                found.append(f"{version.name}: {had} became {has} at {version.obj['metadata']['resourceVersion']}")
        latest[version.uid] = version
    return found


def _held(version: Version) -> set[str]:
    return set() if version.event == "DELETED" else {*_addresses(version.obj)}


def _must_keep(before: Any, after: Any) -> bool:
    if _wanted(before) == _wanted(after):
        return True
    shares = any("allow-shared-ip" in key for obj in (before, after) for key in obj["metadata"].get("annotations", {}))
    return not shares and _range(before) == _range(after)


def _wanted(obj: Any) -> object:
    """What a person wrote."""
    annotations = {key: text for key, text in obj["metadata"].get("annotations", {}).items() if key != ALLOCATED_FROM}
    return [obj["spec"], annotations, obj["metadata"].get("labels")]


def _range(obj: Any) -> object:
    """What decides which addresses are allowed."""
    annotations = obj["metadata"].get("annotations", {})
    return [obj["spec"]["type"], obj["spec"].get("ipFamilies"), annotations.get("metallb.io/address-pool")]


def _addresses(obj: Any) -> list[str]:
    return [str(one["ip"]) for one in obj["status"]["loadBalancer"].get("ingress", [])]


def _pools(fresh: Fresh) -> Iterator[str]:
    """Each address is in the pool that the annotation names, which is the wanted one; others have neither."""
    for key, service in sorted(fresh.store.services.items()):
        annotations, addresses = service.metadata.annotations, fresh.store.addresses(key)
        named = annotations.get(ALLOCATED_FROM)
        if not addresses:
            if named is not None:
                yield f"{key}: no address, but the annotation says {named}"
            continue
        wanted = annotations.get("metallb.io/address-pool")
        if named != wanted:
            yield f"{key}: wants {wanted}, the annotation says {named}"
        pool = fresh.config.pools.get(named or "")
        if pool is None or not all(each in pool for each in addresses):
            yield f"{key}: {addresses} are not in pool {named}"


def _waiting(cluster: Cluster, fresh: Fresh) -> Iterator[str]:
    """Who has no address has an event that says why, in the words of a fresh computation."""
    events = cluster.get("/apis/events.k8s.io/v1/namespaces/default/events")["items"]
    said = {(one["regarding"].get("name"), one["regarding"].get("uid"), one.get("note")) for one in events}
    for key, reason in fresh.refusals().items():
        if (key.name, fresh.store.services[key].metadata.uid, reason) not in said:
            yield f"{key}: waits, and no event says: {reason}"


def _routes(cluster: Cluster, fresh: Fresh) -> Iterator[str]:
    wanted, found = fresh.routes, observed.routes(cluster)
    for prefix in sorted(wanted.keys() | found.keys()):
        if wanted.get(prefix) != found.get(prefix):
            yield f"{prefix}: the router has {found.get(prefix)}, should have {wanted.get(prefix)}"
    for prefix, nodes in observed.forwarded(cluster, wanted).items():
        if "." in prefix and nodes != frozenset(wanted[prefix]):
            yield f"{prefix}: the router forwards to {sorted(nodes)}, should to {sorted(wanted[prefix])}"


def _owners(cluster: Cluster, fresh: Fresh) -> Iterator[str]:
    """Each address of the LAN, also those that nobody should have any more."""
    wanted = fresh.owners
    known = {str(address) for key in fresh.store.services for address in fresh.store.addresses(key)}
    for address in sorted(wanted.keys() | known):
        answering = wire.answerers(cluster, address) if _is_of_lan(address) else frozenset()
        if answering != ({wanted[address]} if address in wanted else set()):
            yield f"{address}: {sorted(answering)} answer, {wanted.get(address)} should"


def _is_of_lan(address: str) -> bool:
    return address.startswith(("192.0.2.", "2001:db8:1:"))


def _statements(cluster: Cluster, fresh: Fresh) -> Iterator[str]:
    wanted, found = fresh.statements, observed.statements(cluster)
    yield from (f"missing: {each}" for each in sorted(wanted - found.keys(), key=str))
    yield from (f"untrue: {each}" for each in sorted(found.keys() - wanted, key=str))
    yield from (f"said {count} times: {each}" for each, count in found.items() if count > 1)


def _daemons(cluster: Cluster, fresh: Fresh, node: str, pod: Mapping[str, Any]) -> Iterator[str]:
    """The files are what a fresh computation renders; the daemons run what the files say, and nothing else."""
    texts = observed.texts(cluster, pod)
    for daemon, lines in fresh.document(node, texts).items():
        written = parse(texts.get(daemon, ""))
        if lines != written:
            yield f"{node} {daemon}: rendered anew it differs by {_sample(lines ^ written)}"
        running = observed.running(cluster, pod, daemon) - parse(GUARD)
        change = difference(running, written, written)
        if change.commands or change.foreign or change.held:
            yield f"{node} {daemon}: it runs {_sample(running - written)} more, {_sample(written - running)} less"


def _own_objects(cluster: Cluster, fresh: Fresh) -> Iterator[str]:
    speakers = {node: state.spec.draining for node, state in fresh.store.speakers.items()}
    if speakers != dict.fromkeys(cluster.nodes, False):
        yield f"SpeakerStates, and whether they drain: {speakers}"
    counted = {node: state.spec.announced_addresses for node, state in fresh.store.speakers.items()}
    owners = list(fresh.owners.values())
    if counted != {node: owners.count(node) for node in cluster.nodes}:
        yield f"SpeakerStates count {counted}, the addresses are of {sorted(owners)}"
    conflicts = {node: state.spec.conflicts for node, state in fresh.store.speakers.items() if state.spec.conflicts}
    if conflicts:
        yield f"conflicts: {conflicts}"
    states = observed.configuration_states(cluster)
    if states != {"controller": "Valid"} | {f"speaker-{node}": "Valid" for node in cluster.nodes}:
        yield f"ConfigurationStates: {states}"
    leases = cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases")["items"]
    names = [pod["metadata"]["name"] for pod in observed.controllers(cluster)]
    if [lease["metadata"]["name"] for lease in leases] != ["ferrule-controller"]:
        yield f"leases: {[lease['metadata']['name'] for lease in leases]}"
    elif leases[0]["spec"].get("holderIdentity") not in names:
        yield f"the lease is of {json.dumps(leases[0]['spec'])}, the controllers are {names}"


def _sample(lines: frozenset[Any]) -> list[str]:
    return sorted(map(str, lines))[:6]
