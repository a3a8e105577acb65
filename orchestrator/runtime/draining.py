"""`ferrule drain`: annotates a Node, and watches what its speaker says about the drain.

Works on folders and in a cluster. Nothing here decides what is withdrawn: the speaker of the node does.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from orchestrator.config.drains import VALUES, Wish
from orchestrator.config.model import NodeName
from orchestrator.config.wording import listed
from orchestrator.errors import InvalidConfig
from orchestrator.resources.core import ANNOTATION_DRAIN
from orchestrator.resources.extensions import DrainReport, SpeakerState
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.command_origin import CommandOrigin

VALUE_OF = {Wish.DRAIN: "true", Wish.FORCE: "force", Wish.NONE: None}
SETTLING_S = 0.5
"""From the speaker's word that routes are withdrawn to routers that use none any more (experiments 9.3: 150 ms)."""


NOT_DRAINED = DrainReport()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What the speaker of a node said last; `is_done` if that is what was asked for, `has_speaker` if it ever spoke."""

    node: NodeName
    report: DrainReport = NOT_DRAINED
    has_speaker: bool = False
    is_done: bool = False

    @classmethod
    def of(cls, node: NodeName, state: SpeakerState | None, reached: Callable[[DrainReport], bool]) -> Self:
        if state is None:
            return cls(node=node)
        report = state.spec.drain
        return cls(node=node, report=report, has_speaker=True, is_done=reached(report))


class Drains:
    """The Nodes and speakers that count, and what is done with their drains."""

    def __init__(self, origin: CommandOrigin) -> None:
        self._origin = origin
        self._store = origin.store

    def listed(self) -> Mapping[NodeName, DrainReport]:
        """Return what the speakers of drained nodes say."""
        reports = {name: state.spec.drain for name, state in sorted(self._store.speakers.items())}
        return {name: report for name, report in reports.items() if report.stage}

    async def ask(self, node: NodeName, wish: Wish, wait_s: float) -> Drained:
        """Annotate the Node and wait until its speaker has done that. Raises InvalidConfig, StartupError."""
        if node not in self._store.nodes:
            raise InvalidConfig(f"there is no node {node}; known nodes: {listed(sorted(self._store.nodes))}")
        await self._origin.sink.annotate(ObjectRef("Node", "", node), {ANNOTATION_DRAIN: VALUE_OF[wish]})
        await self._origin.written()
        drained = await self._until(node, _goal_of(wish), wait_s)
        if drained.is_done and wish is not Wish.NONE:
            await asyncio.sleep(SETTLING_S)
        return drained

    def still_annotated(self, node: NodeName) -> bool:
        """Whether the Node asks for a drain all the same: the annotation stands in a manifest."""
        found = self._store.nodes.get(node)
        text = "" if found is None else found.metadata.annotations.get(ANNOTATION_DRAIN, "")
        return VALUES.get(text, Wish.NONE) is not Wish.NONE

    async def _until(self, node: NodeName, reached: Callable[[DrainReport], bool], wait_s: float) -> Drained:
        try:
            async with asyncio.timeout(wait_s):
                while not (found := Drained.of(node, self._store.speakers.get(node), reached)).is_done:
                    self._store.apply(await anext(self._origin.events))
        except TimeoutError:
            return Drained.of(node, self._store.speakers.get(node), reached)
        return found


def _goal_of(wish: Wish) -> Callable[[DrainReport], bool]:
    match wish:
        case Wish.NONE:
            return lambda report: not report.stage
        case Wish.DRAIN:
            return lambda report: report.stage == "withdrawn" and not report.held_back_count
        case Wish.FORCE:
            return lambda report: report.stage == "withdrawn" and report.forced
