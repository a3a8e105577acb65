"""Source and sink of a Kubernetes cluster, with the tasks behind them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from orchestrator.errors import OrchestratorError
from orchestrator.runtime.origins import Interest, Origin
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import Cluster, ProcessSettings
from orchestrator.sources.kube.access import Access
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.sink import KubeSink
from orchestrator.sources.kube.source import KubeSource, Wanted
from orchestrator.sources.kube.witness import Witness
from orchestrator.sources.kube.writer import Writer


@asynccontextmanager
async def open_cluster(
    settings: ProcessSettings,
    cluster: Cluster,
    interest: Interest,
    store: ObjectStore,
    witness: Witness,
    may_write: Callable[[], bool],
) -> AsyncIterator[Origin]:
    """Connect, and write behind until the block ends. Raises StartupError if there is no configuration to connect with."""
    api = Api(await Access.open(cluster.kubeconfig, cluster.context), witness)
    wanted = Wanted(
        kinds=interest.kinds,
        late=frozenset(interest.late),
        namespace=settings.namespace,
        config_maps=interest.config_maps,
    )
    writer = Writer(
        component=interest.component, node=interest.node, namespace=settings.namespace, pod=cluster.pod_name
    )
    sink = KubeSink(api, writer, witness, services=store.services, may_write=may_write)
    refusal: OrchestratorError | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(sink.run())
            try:
                yield Origin(KubeSource(api, wanted, witness), sink, api.server, api)
            except OrchestratorError as error:  # what a person should read, without the group around it
                refusal = error
            writing.cancel()
    finally:
        await api.close()
    if refusal is not None:
        raise refusal
