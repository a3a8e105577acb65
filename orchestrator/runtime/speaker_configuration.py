"""A speaker's configuration: resolved with the cluster's last good specs, its state reported for this node.

A pool that was removed stays in force here while the controller keeps its last good spec, which it does as long as
Services hold addresses of it: the routes live until the addresses move.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from orchestrator.config.engines import usable
from orchestrator.config.model import Config, LastGood
from orchestrator.config.nodes import heeding_readiness
from orchestrator.config.resolve import resolve
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import Problem, Severity
from orchestrator.resources.metallb import ConfigurationState
from orchestrator.resources.secret_text import SecretText
from orchestrator.resources.snapshot import ClusterSnapshot
from orchestrator.runtime.configuration_state import configuration_state
from orchestrator.runtime.last_good import from_config_map
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import HEARTBEAT_SECRET, SpeakerSettings
from orchestrator.sources.interface import Sink

log = structlog.get_logger()

HEARTBEAT_KEY = "secretkey"


def heartbeat_key(snapshot: ClusterSnapshot) -> SecretText:
    """Return the key of the heartbeats in base64; empty (no heartbeats are sent or accepted) while there is none."""
    secret = snapshot.secrets.get(HEARTBEAT_SECRET)
    return SecretText("") if secret is None else secret.data.get(HEARTBEAT_KEY, SecretText(""))


def _none(_config: Config) -> tuple[Problem, ...]:
    return ()


class SpeakerConfiguration:
    """Resolves for one speaker, and reports what it cannot use; only changes are written."""

    def __init__(self, settings: SpeakerSettings, sink: Sink, metrics: Metrics) -> None:
        self._settings = settings
        self._sink = sink
        self._metrics = metrics
        self._own_last_good: LastGood = {}
        self._state: ConfigurationState | None = None
        self._told: frozenset[Problem] = frozenset()

    async def resolve(self, store: ObjectStore, beside: Callable[[Config], tuple[Problem, ...]] = _none) -> Config:
        """Return the configuration of all that can be used; `beside` tells what others found wrong with it."""
        last_good = self._own_last_good if store.last_good is None else from_config_map(store.last_good)
        snapshot = store.snapshot()
        resolved = resolve(_with_removed_pools(snapshot, last_good), last_good)
        self._own_last_good = resolved.last_good
        config, refused = usable(self._settings.bgp_engine, resolved.config)
        if self._settings.withdraw_not_ready:
            config = heeding_readiness(config, self._settings.node, snapshot.nodes)
        await self._report((*store.problems(), *beside(config), *resolved.problems, *refused))
        return config

    async def _report(self, problems: tuple[Problem, ...]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        state = configuration_state(
            node=self._settings.node,
            namespace=self._settings.namespace,
            problems=problems,
            previous=self._state,
            now=now,
        )
        for problem in problems:
            if problem not in self._told:
                log.warning(
                    "configuration problem", object=str(problem.ref), field=problem.field, reason=problem.message
                )
        self._told = frozenset(problems)
        if state != self._state:
            await self._sink.write(state)
            self._state = state
        errors = [problem for problem in problems if problem.severity is Severity.ERROR]
        self._metrics.set(Name.CONFIG_LOADED, 1)
        self._metrics.set(Name.CONFIG_STALE, 1 if errors else 0)
        kinds = Counter(problem.ref.kind for problem in problems)
        self._metrics.replace(Name.PROBLEMS, {(kind,): float(count) for kind, count in kinds.items()})


def _with_removed_pools(snapshot: ClusterSnapshot, last_good: LastGood) -> ClusterSnapshot:
    """Name the pools that are gone but still remembered as unusable, so that their last good spec stays in force."""
    removed = {
        ref: (
            Problem(
                ref=ref,
                field="",
                message="the pool is gone while Services hold its addresses; they stay announced until the controller "
                "moves them: create it again, or wait",
                severity=Severity.WARNING,
            ),
        )
        for ref in last_good
        if ref.kind == "IPAddressPool" and ref.name not in snapshot.pools and ref not in snapshot.unusable
    }
    return replace(snapshot, unusable={**snapshot.unusable, **removed}) if removed else snapshot
