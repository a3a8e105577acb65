"""The process around a node's speaker: its pages, the lock of the node, where objects come from.

One speaker per node and installation: a second one waits for the end of the first, not ready, and says for whom.
"""

import structlog
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from orchestrator.config import extras
from orchestrator.errors import StartupError
from orchestrator.observe.http import Readiness, serve
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.kinds import CONFIGURED_KINDS
from orchestrator.runtime import node_lock, rivals
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.origins import Interest, open_origin
from orchestrator.runtime.speaker import Speaker
from orchestrator.runtime.speaker_statuses import COMPONENT
from orchestrator.runtime.store import ObjectStore
from orchestrator.runtime.tolerant_sink import TolerantSink
from orchestrator.runtime.witness import ApiWitness
from orchestrator.settings import SpeakerSettings

log = structlog.get_logger()

KINDS = frozenset(
    {
        "Service",
        "EndpointSlice",
        "Node",
        "Namespace",
        "Secret",
        "ConfigMap",
        "IPAddressPool",
        "L2Advertisement",
        "BGPAdvertisement",
        "BGPPeer",
        "BFDProfile",
        "Community",
        "ServiceL2Status",
        "SpeakerState",
        "Failover",
    }
)
UNREAD = ("ConfigurationState", "ServiceBGPStatus", *CONFIGURED_KINDS)
"""States that tell a speaker nothing."""


async def run(settings: SpeakerSettings) -> int:
    """Run a node's speaker until SIGTERM; returns the exit status."""
    metrics = Metrics(SPEAKER_METRICS)
    readiness = Readiness("node lock", "first list", rivals.CONDITION, "node", "responder", settings.bgp_engine.value)
    readiness.met(rivals.CONDITION)
    unserved = _serve_now(settings, metrics, readiness)

    def waiting() -> None:
        reason = f"another speaker of node {settings.node} runs here; this one waits for its end"
        readiness.unmet("node lock", reason)
        log.warning("waiting", node=settings.node, reason=reason)

    async with node_lock.hold(settings.namespace, settings.node, waiting):
        for port, address in unserved.items():
            await _serve_patiently(address, port, metrics, readiness)
        readiness.met("node lock")
        await _speak(settings, metrics, readiness)
    log.info("speaker stopped", node=settings.node)
    return 0


async def _speak(settings: SpeakerSettings, metrics: Metrics, readiness: Readiness) -> None:
    store = ObjectStore(settings.namespace, CONFIG_MAP_NAME)
    interest = Interest(
        component=COMPONENT,
        node=settings.node,
        kinds=KINDS,
        unread=UNREAD,
        config_maps=(CONFIG_MAP_NAME, extras.CONFIG_MAP_NAME),
    )
    async with open_origin(settings, interest, store, ApiWitness(metrics, readiness)) as origin:
        readiness.unmet("first list", f"reading {origin.place}")
        log.info("speaker started", node=settings.node, source=origin.place)
        speaker = Speaker(settings, store, TolerantSink(origin.sink, metrics), metrics, readiness)
        speaker.feed.stop_on_signals()  # a speaker that waits holds nothing: a signal just ends it
        await speaker.run(origin.source)


def _serve_now(settings: SpeakerSettings, metrics: Metrics, readiness: Readiness) -> dict[int, str]:
    """Serve the pages; return the port and address of those that another speaker of this node still has."""
    pages = {
        port: address for address, port in (("0.0.0.0", settings.metrics_port), ("127.0.0.1", settings.health_port))
    }
    return {port: address for port, address in pages.items() if port and not _served(address, port, metrics, readiness)}


@retry(retry=retry_if_exception_type(StartupError), stop=stop_after_delay(5), wait=wait_fixed(0.05), reraise=True)
async def _serve_patiently(address: str, port: int, metrics: Metrics, readiness: Readiness) -> None:
    """Serve; the kernel frees the sockets of a speaker that was killed one after the other, the lock before the port."""
    serve(address, port, metrics, readiness)


def _served(address: str, port: int, metrics: Metrics, readiness: Readiness) -> bool:
    """Serve now if the port is free; another speaker of this node may have it until it ends."""
    try:
        serve(address, port, metrics, readiness)
    except StartupError:
        return False
    return True
