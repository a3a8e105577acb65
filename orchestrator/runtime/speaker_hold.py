"""A configuration that would withdraw most of a node's prefixes waits for a moment: it may be a mistake.

Only configuration waits. What is known of Services, endpoints and nodes is planned at once, with the configuration in
force. A configuration that is put right in time has changed nothing, and one that stays is used when the time is over.
"""

from collections.abc import Collection
from dataclasses import replace
from math import inf

import structlog

from orchestrator.config.model import Config
from orchestrator.decide.withdrawal import MANY, taken_away
from orchestrator.net.addresses import Prefix
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import ObjectKey
from orchestrator.runtime.planning import Outcome, Planner

log = structlog.get_logger()

NAMED = 10


class ConfigurationHold:
    """Whether a new configuration is used. `hold_s` 0: always, at once."""

    def __init__(self, hold_s: float, metrics: Metrics) -> None:
        self._hold_s = hold_s
        self._metrics = metrics
        self._held: tuple[Prefix, ...] = ()
        self.deadline = inf
        """When (monotonic) the configuration that waits is to be weighed again."""

    def weigh(
        self, planner: Planner, config: Config, services: Collection[ObjectKey], now: float
    ) -> tuple[list[Outcome], Config]:
        """Return the configuration to plan with now, and what planning `services` first has changed.

        They are planned first where it must be known what the configuration itself would take away.
        """
        around = replace(planner.config, nodes=config.nodes)
        outcomes: list[Outcome] = []
        going: tuple[Prefix, ...] = ()
        if self._hold_s and around != config and len(planner.plan.routes) >= MANY:
            known_nodes = around == planner.config
            outcomes.append(
                planner.services_changed(services) if known_nodes else planner.configuration_changed(around)
            )
            going = taken_away(planner.plan.routes.keys(), planner.prefixes_under(config))
        if going and now < self.deadline:
            self._hold(going, len(planner.plan.routes), now)
            return outcomes, around
        self._end(done=bool(going))
        return outcomes, config

    def _hold(self, going: tuple[Prefix, ...], of: int, now: float) -> None:
        if going == self._held:
            return
        if not self._held:
            self.deadline = now + self._hold_s
        self._held = going
        self._metrics.set(Name.WITHDRAWALS_HELD, len(going))
        log.warning(
            "withdrawal held",
            prefixes=len(going),
            of=of,
            first=[str(prefix) for prefix in going[:NAMED]],
            seconds=round(self.deadline - now, 1),
            reason="the changed configuration no longer announces them; nothing happens if it is put right in time: "
            "look at the BGPAdvertisements, BGPPeers and pools that were changed last",
        )

    def _end(self, *, done: bool) -> None:
        if not self._held:
            return
        outcome = "withdrawn" if done else "averted"
        self._metrics.set(Name.WITHDRAWALS_HELD, 0)
        self._metrics.add(Name.HOLDS, outcome=outcome)
        log.info("held withdrawal ends", prefixes=len(self._held), outcome=outcome)
        self._held = ()
        self.deadline = inf
