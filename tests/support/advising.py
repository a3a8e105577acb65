"""What is advised about a few objects, as short lines that a test can compare."""

from collections.abc import Collection
from typing import Any

from orchestrator.config.advice import advise
from orchestrator.config.resolve import resolve
from orchestrator.resources import core, metallb
from orchestrator.resources.extensions import SpeakerInterface, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta, Problem
from orchestrator.resources.snapshot import snapshot_of
from tests.support import objects


def advice(
    *present: Any, services: Collection[core.Service] = (), speakers: Collection[SpeakerStateSpec] = ()
) -> tuple[Problem, ...]:
    """The warnings about configuration objects that are all there are."""
    snapshot = snapshot_of(present, {}, objects.NAMESPACE, incomplete=False)
    resolved = resolve(snapshot, {})
    assert not [problem for problem in resolved.problems if problem.severity.value == "error"]
    return advise(resolved.config, snapshot, services, speakers)


def lines(*present: Any, **around: Any) -> list[str]:
    """Code, object and field of each warning."""
    return [f"{problem.code} {problem.ref.name} {problem.field}".rstrip() for problem in advice(*present, **around)]


def node(name: str, *addresses: str, **labels: str) -> core.Node:
    status = core.NodeStatus(addresses=tuple(core.NodeAddress(type="InternalIP", address=each) for each in addresses))
    return core.Node(metadata=ObjectMeta(name=name, labels=labels), status=status)


def namespaces(*names: str) -> tuple[core.Namespace, ...]:
    return tuple(core.Namespace(metadata=ObjectMeta(name=name)) for name in names)


def speaker(name: str, *prefixes: str) -> SpeakerStateSpec:
    return SpeakerStateSpec(node=name, interfaces=(SpeakerInterface(name="eth0", prefixes=prefixes),))


def announced(*pools: metallb.IPAddressPool) -> tuple[Any, ...]:
    """The pools with an L2Advertisement for all."""
    return (*pools, objects.l2_object("all"))
