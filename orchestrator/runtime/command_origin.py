"""The objects for a command that a person waits for: read once, and an answer soon, also when there is none.

A process waits for an API server as long as it takes; a command says after a few seconds what is in the way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from orchestrator.config.wording import shortened
from orchestrator.errors import KubeError, StartupError
from orchestrator.resources.kinds import BY_NAME, CONFIGURED_KINDS
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.origins import Interest, open_origin
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import ProcessSettings
from orchestrator.sources.interface import Sink, SourceEvent

READ_LIMIT_S = 8.0
WRITE_LIMIT_S = 8.0
UNREAD = ("ConfigurationState", "ServiceBGPStatus", *CONFIGURED_KINDS)
REFUSED_STATUSES = frozenset({401, 403, 404})
"""Of a list: the token is not good, a right or the kind itself is missing. None of these mends itself soon."""
REFUSED_GRACE_S = 0.5
"""For the other lists to say the same."""
SHOWN = 3
"""How many reasons an error names."""


class CommandWitness:
    """Implements Witness; remembers what went wrong, and tells when one of the kinds cannot be had at all."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._needed = frozenset(BY_NAME[kind].plural for kind in kinds)
        self.failures: dict[str, KubeError] = {}
        self.refusals: dict[ObjectRef, str] = {}
        self.is_hopeless = False
        self.give_up: Callable[[], None] = _stay

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:
        pass

    def watching(self, what: str) -> None:
        self.failures.pop(what, None)

    def failing(self, what: str, error: KubeError) -> None:
        self.failures[what] = error
        if what in self._needed and error.status in REFUSED_STATUSES:
            self.is_hopeless = True
            self.give_up()

    def refused(self, ref: ObjectRef, reason: str) -> None:
        self.refusals[ref] = reason

    def accepted(self, ref: ObjectRef) -> None:
        self.refusals.pop(ref, None)

    def reasons(self) -> str:
        """What is in the way, in a line."""
        found = sorted({error.cause for error in self.failures.values()})
        return "; ".join(shortened(found, SHOWN)) or "no answer"


@dataclass(frozen=True, slots=True)
class CommandOrigin:
    """What a command reads and writes: `store` holds the first list, `events` are what follows; `place` is for people."""

    store: ObjectStore
    events: AsyncIterator[Sequence[SourceEvent]]
    sink: Sink
    witness: CommandWitness
    place: str

    async def written(self) -> None:
        """Return once everything is written. Raises StartupError if the API server does not take it."""
        await self.sink.flush(WRITE_LIMIT_S)
        for ref, reason in sorted(self.witness.refusals.items()):
            what = ref if ref.name else ref.kind  # a missing right concerns the kind
            raise StartupError(f"{what} cannot be written: {reason}")


@asynccontextmanager
async def open_for_command(settings: ProcessSettings, kinds: frozenset[str]) -> AsyncIterator[CommandOrigin]:
    """Give the objects of `kinds` after their first list. Raises StartupError if that cannot be had soon."""
    store, witness = ObjectStore(settings.namespace, CONFIG_MAP_NAME), CommandWitness(kinds)
    interest = Interest(component="ferrule", node="", kinds=kinds, unread=UNREAD)
    async with (
        open_origin(settings, interest, store, witness) as origin,
        aclosing(origin.source.watch()) as events,
    ):
        try:
            async with asyncio.timeout(READ_LIMIT_S) as limit:
                witness.give_up = lambda: _shorten(limit)
                while not store.synced or witness.is_hopeless:
                    store.apply(await anext(events))
                witness.give_up = _stay
        except TimeoutError:
            raise StartupError(f"{origin.place} cannot be read: {witness.reasons()}") from None
        yield CommandOrigin(store, events, origin.sink, witness, origin.place)


def _stay() -> None:
    pass


def _shorten(limit: asyncio.Timeout) -> None:
    soon = asyncio.get_running_loop().time() + REFUSED_GRACE_S
    if not limit.expired():
        limit.reschedule(min(soon, limit.when() or soon))
