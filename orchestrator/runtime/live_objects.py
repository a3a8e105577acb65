"""Everything that an installation's configuration is judged by, read once from where it runs.

A cluster may have MetalLB's kinds and not ours, before Ferrule is installed: then ours are taken as absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.config.model import LastGood
from orchestrator.errors import StartupError
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import SpeakerStateSpec
from orchestrator.resources.meta import Problem
from orchestrator.resources.snapshot import ClusterSnapshot
from orchestrator.runtime.command_origin import open_for_command
from orchestrator.runtime.last_good import from_config_map
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import Folders, ProcessSettings

METALLBS = frozenset(
    {"Service", "Node", "Namespace", "IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer"}
    | {"BFDProfile", "Community"}
)
AROUND = frozenset({"EndpointSlice", "Secret", "ConfigMap"})
OURS = frozenset({"AddressReservation", "AddressQuota", "SpeakerState"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObjects:
    """The configuration with its problems, and what is around it; `place` is the cluster or the folder."""

    place: str
    snapshot: ClusterSnapshot
    last_good: LastGood
    problems: tuple[Problem, ...]
    services: Sequence[Service]
    speakers: Sequence[SpeakerStateSpec]


async def read_live_objects(settings: ProcessSettings) -> LiveObjects:
    """Return the objects as they are now. Raises StartupError if they cannot be read."""
    is_folder = isinstance(settings.origin, Folders)
    async with open_for_command(settings, METALLBS | OURS if is_folder else METALLBS) as origin:
        found = _from_store(origin.store, origin.place)
    return found if is_folder else await _with_ours(found, settings)


async def read_live_store(settings: ProcessSettings) -> ObjectStore:
    """Return everything that the nodes' announcements depend on, Secrets included. Raises StartupError."""
    async with open_for_command(settings, METALLBS | OURS | AROUND) as origin:
        return origin.store


def _from_store(store: ObjectStore, place: str) -> LiveObjects:
    return LiveObjects(
        place=place,
        snapshot=store.snapshot(),
        last_good=from_config_map(store.last_good),
        problems=store.problems(),
        services=tuple(store.services.values()),
        speakers=tuple(state.spec for state in store.speakers.values()),
    )


async def _with_ours(found: LiveObjects, settings: ProcessSettings) -> LiveObjects:
    try:
        async with open_for_command(settings, OURS) as origin:
            store = origin.store
    except StartupError:
        return found
    ours = store.snapshot()
    snapshot = replace(
        found.snapshot,
        reservations=ours.reservations,
        quotas=ours.quotas,
        unusable={**found.snapshot.unusable, **ours.unusable},
    )
    speakers = tuple(state.spec for state in store.speakers.values())
    return replace(found, snapshot=snapshot, problems=(*found.problems, *store.problems()), speakers=speakers)
