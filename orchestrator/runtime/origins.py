"""Opens what a process reads from and writes to: folders of manifests and states, or a Kubernetes cluster."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import Cluster, Folders, ProcessSettings
from orchestrator.sources.interface import Sink, Source
from orchestrator.sources.kube.witness import Witness
from orchestrator.sources.manifests.folder import ManifestsSource
from orchestrator.sources.manifests.state import ManifestsSink

if TYPE_CHECKING:
    from orchestrator.sources.kube.api import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What a process reads and who it is.

    `kinds` are watched whole in a cluster, Secrets and ConfigMaps only by name (`config_maps`). In the state folder, kinds of `unread`
    tell it nothing and those of `late` may come after the first list. `node` is the speaker's, empty for the controller.
    """

    component: str
    node: str
    kinds: frozenset[str]
    unread: Sequence[str]
    late: Sequence[str] = ()
    config_maps: tuple[str, ...] = (CONFIG_MAP_NAME,)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where objects come from and statuses go; `place` names it for people; `api` only in a cluster."""

    source: Source
    sink: Sink
    place: str
    api: "Api | None" = None


def _always() -> bool:
    return True


@asynccontextmanager
async def open_origin(
    settings: ProcessSettings,
    interest: Interest,
    store: ObjectStore,
    witness: Witness,
    may_write: Callable[[], bool] = _always,
) -> AsyncIterator[Origin]:
    """Give source and sink; `store` is what the process knows, for writes that depend on it.

    `may_write` is asked right before each write to a cluster. Raises StartupError.
    """
    match settings.origin:
        case Folders(source=folder, state=state):
            state.mkdir(parents=True, exist_ok=True)
            source = ManifestsSource(folder, state, settings.namespace, unread=interest.unread, late=interest.late)
            yield Origin(source, ManifestsSink(state), str(folder))
        case Cluster() as cluster:
            # Imported here: the HTTP client costs a second and 30 MiB that a process on folders need not spend.
            from orchestrator.runtime import cluster_origin  # noqa: PLC0415

            async with cluster_origin.open_cluster(settings, cluster, interest, store, witness, may_write) as origin:
                yield origin
