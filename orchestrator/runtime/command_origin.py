"""The objects for a command that a person waits for: read once, and an answer soon, also when there is none.

A process waits for an API server as long as it takes; a command says after a few seconds what is in the way.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from orchestrator.errors import KubeError, StartupError
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.origins import Interest, open_origin
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import ProcessSettings
from orchestrator.sources.interface import Sink, SourceEvent

READ_LIMIT_S = 8.0
WRITE_LIMIT_S = 8.0
UNREAD = ("ConfigurationState", "ServiceBGPStatus")


class CommandWitness:
    """Implements Witness; remembers what went wrong."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self.refusals: dict[ObjectRef, str] = {}

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:
        pass

    def watching(self, what: str) -> None:
        self.failures.pop(what, None)

    def failing(self, what: str, error: KubeError) -> None:
        self.failures[what] = str(error)

    def refused(self, ref: ObjectRef, reason: str) -> None:
        self.refusals[ref] = reason

    def accepted(self, ref: ObjectRef) -> None:
        self.refusals.pop(ref, None)


@dataclass(frozen=True, slots=True)
class CommandOrigin:
    """What a command reads and writes: `store` holds the first list, `events` are what follows."""

    store: ObjectStore
    events: AsyncIterator[Sequence[SourceEvent]]
    sink: Sink
    witness: CommandWitness

    async def written(self) -> None:
        """Return once everything is written. Raises StartupError if the API server does not take it."""
        await self.sink.flush(WRITE_LIMIT_S)
        for ref, reason in sorted(self.witness.refusals.items()):
            raise StartupError(f"{ref} cannot be written: {reason}")


@asynccontextmanager
async def open_for_command(settings: ProcessSettings, kinds: frozenset[str]) -> AsyncIterator[CommandOrigin]:
    """Give the objects of `kinds` after their first list. Raises StartupError if that cannot be had soon."""
    store, witness = ObjectStore(settings.namespace, CONFIG_MAP_NAME), CommandWitness()
    interest = Interest(component="ferrule", node="", kinds=kinds, unread=UNREAD)
    async with (
        open_origin(settings, interest, store, witness) as origin,
        aclosing(origin.source.watch()) as events,
    ):
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                while not store.synced:
                    store.apply(await anext(events))
        except TimeoutError:
            reasons = "; ".join(sorted(set(witness.failures.values()))) or "no answer"
            raise StartupError(f"{origin.place} could not be read within {READ_LIMIT_S:g} s: {reasons}") from None
        yield CommandOrigin(store, events, origin.sink, witness)
