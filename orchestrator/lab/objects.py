"""What the lab's objects say: read from the manifests and the state folder with the source that the processes use."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

from orchestrator.lab.topology import Lab
from orchestrator.resources.core import Service
from orchestrator.resources.kinds import KubeObject, ref_of
from orchestrator.resources.meta import ObjectRef
from orchestrator.resources.metallb import ConfigurationState, ServiceL2Status
from orchestrator.resources.parse import ParsedObject
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.interface import Upserted
from orchestrator.sources.manifests.files import read_file
from orchestrator.sources.manifests.folder import ManifestsSource
from orchestrator.sources.manifests.state import StateFolder

NAMESPACE = "default"
"""Of the lab's Services."""


def read(lab: Lab) -> Mapping[ObjectRef, KubeObject]:
    """Every usable object with its status, by reference, in sorted order."""
    return asyncio.run(_first_list(ManifestsSource(lab.folder.manifests, lab.folder.state, DEFAULT_NAMESPACE)))


async def _first_list(source: ManifestsSource) -> dict[ObjectRef, KubeObject]:
    async with aclosing(source.watch()) as batches:
        events = await anext(batches)
    return {ref_of(event.obj): event.obj for event in events if isinstance(event, Upserted)}


def services(lab: Lab) -> list[Service]:
    """The Services by name, with status."""
    return [obj for obj in read(lab).values() if isinstance(obj, Service)]


def addresses(service: Service) -> list[str]:
    """The addresses in a Service's status."""
    return [ingress.ip for ingress in service.status.load_balancer.ingress if ingress.ip]


def address_of(lab: Lab, name: str) -> str | None:
    """The first address of one Service."""
    return next(iter(addresses_of(lab, name)), None)


def addresses_of(lab: Lab, name: str) -> list[str]:
    """The addresses of one Service; reads its state file only, so it may be asked often."""
    path = StateFolder(lab.folder.state).file(ObjectRef("Service", NAMESPACE, name))
    contents = read_file(path, str(path), DEFAULT_NAMESPACE)
    parts = contents.objects if contents else ()
    parsed = (part.outcome.obj for part in parts if isinstance(part.outcome, ParsedObject))
    return [found for obj in parsed if isinstance(obj, Service) for found in addresses(obj)]


def layer2_nodes(lab: Lab, name: str) -> list[str]:
    """The nodes whose speakers say that they answer for a Service."""
    statuses = (obj.status for obj in read(lab).values() if isinstance(obj, ServiceL2Status))
    return sorted({status.node for status in statuses if status.service_name == name})


def configuration_errors(lab: Lab) -> Mapping[str, str]:
    """Per component (`controller`, `speaker-node-a`) that reports one, what is wrong with the configuration."""
    states = (obj for obj in read(lab).values() if isinstance(obj, ConfigurationState))
    return {state.metadata.name: state.status.error_summary for state in states if state.status.result == "Invalid"}
