"""Whether this process may decide and write: always on folders, by an election in a cluster.

Whoever leads is told so in its feed, and asks `may_write` before whatever it does: the word that it leads no more may
still be on its way when the process wakes up from a pause.
"""

import asyncio
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, Protocol

import structlog

from orchestrator.errors import KubeError
from orchestrator.fsm import leadership
from orchestrator.fsm.leadership import Candidate, Leadership, LeaseRecord, Read, Write
from orchestrator.resources.meta import ObjectKey
from orchestrator.runtime.feed import Feed
from orchestrator.settings import ControllerSettings
from orchestrator.sources.kube.witness import Witness

log = structlog.get_logger()

LEASE_NAME = "ferrule-controller"
WHAT = f"leases/{LEASE_NAME}"
SHORTEST_LIMIT_S = 0.1
CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Leading:
    """We lead from now on, once this is accepted; whatever was decided here before is void."""

    term: int


@dataclass(frozen=True, slots=True)
class Following:
    """We do not lead; `holder` does, empty for nobody."""

    holder: str


@dataclass(frozen=True, slots=True)
class Surveyed:
    """Which Services there are, with their versions, at some moment after the survey was asked for."""

    versions: Mapping[ObjectKey, str]


class Standing(Protocol):
    """What a controller knows of its right to act; puts Leading, Following, Surveyed into `feed`."""

    feed: Feed

    def may_write(self) -> bool:
        """Whether this process leads at this instant, in the term that was accepted last."""
        ...

    def accept(self, term: int) -> None:
        """What was decided in earlier terms has been dropped."""
        ...

    def survey(self) -> None:
        """Ask for Surveyed."""
        ...


class AlwaysLeading:
    """Standing of the only process of a folder, which has no stale reads."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        feed.put(Leading(1))

    def may_write(self) -> bool:
        return True

    def accept(self, term: int) -> None:
        """There is only one."""

    def survey(self) -> None:
        self.feed.put(Surveyed({}))


class LeaseAccess(Protocol):
    """Reads and writes the Lease; see sources.kube.lease."""

    async def read(self, limit_s: float) -> LeaseRecord: ...
    async def write(self, record: LeaseRecord, limit_s: float) -> str: ...


class Election:
    """Standing by a Lease. Times are CLOCK_BOOTTIME: it goes on while the machine sleeps."""

    def __init__(self, candidate: Candidate, feed: Feed, witness: Witness) -> None:
        self.feed = feed
        self._candidate = candidate
        self._witness = witness
        self._state = Leadership()
        self._accepted = 0
        self._told_term = 0
        self._told_holder: str | None = None
        self._failing = ""
        self._wanted = asyncio.Event()

    def may_write(self) -> bool:
        return self._accepted == self._state.term and self._state.leads(_now())

    def accept(self, term: int) -> None:
        self._accepted = term

    def survey(self) -> None:
        self._wanted.set()

    async def run(self, lease: LeaseAccess) -> NoReturn:
        """Stand for election until cancelled."""
        while True:
            now = _now()
            asked = leadership.request(self._state, self._candidate, now, _wall())
            if asked is None:
                await asyncio.sleep(self._pause(now))
            else:
                await self._ask(asked, lease)
            self._tell()

    async def surveys(self, versions: Callable[[], Awaitable[Mapping[ObjectKey, str]]]) -> NoReturn:
        """Answer `survey` until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            term = self._state.term
            try:
                found = await versions()
                if term == self._state.term:  # else others may have led, and written, since it was asked
                    self.feed.put(Surveyed(found))
            except KubeError as error:
                log.warning("Services not surveyed", reason=str(error))
                await asyncio.sleep(self._candidate.retry_s)
                self._wanted.set()

    async def release(self, lease: LeaseAccess, limit_s: float) -> None:
        """Write no more, and let another one lead at once; `run` has been cancelled."""
        now = _now()
        self._state = leadership.leave(leadership.failed(self._state, self._candidate, now, 0), now)
        try:
            async with asyncio.timeout(limit_s):
                while (asked := leadership.request(self._state, self._candidate, _now(), _wall())) is not None:
                    await self._ask(asked, lease)
        except TimeoutError:
            log.warning("lease not released", reason=f"no answer within {limit_s:g} s")

    async def _ask(self, asked: Read | Write, lease: LeaseAccess) -> None:
        """Send one request and take its answer in."""
        try:
            if isinstance(asked, Read):
                record = await lease.read(self._limit())
                self._state = leadership.found(self._state, self._candidate, record, _now(), _jitter())
            else:
                version = await lease.write(asked.record, self._limit())
                self._state = leadership.written(self._state, self._candidate, asked, version, _now(), _jitter())
        except KubeError as error:
            if error.status == CONFLICT:
                self._state = leadership.refused(self._state, _now())
                return
            self._state = leadership.failed(self._state, self._candidate, _now(), _jitter())
            self._failed(error)
        else:
            self._succeeded()

    def _limit(self) -> float:
        """A request that hangs leaves time for another try, and does not outlive our right to write."""
        limit_s = self._candidate.renew_s / 2
        now = _now()
        if self._state.leads(now):
            limit_s = min(limit_s, self._state.leads_until - now)
        return max(limit_s, SHORTEST_LIMIT_S)

    def _pause(self, now: float) -> float:
        """Seconds until the next request, or until the end of our right if that is sooner."""
        until = min(self._state.next_at, self._state.leads_until) if self._state.leads(now) else self._state.next_at
        return max(until - now, 0.0)

    def _tell(self) -> None:
        """Put into the feed what has changed."""
        if self._state.leads(_now()):
            if self._told_term != self._state.term:
                self._told_term, self._told_holder = self._state.term, None
                log.info("leading", lease=LEASE_NAME, transitions=self._transitions())
                self.feed.put(Leading(self._state.term))
            return
        if self._state.known is None:
            return
        holder = self._state.holder
        if holder == self._candidate.identity:  # and could not renew its Lease in time
            holder = ""
        if self._told_term or holder != self._told_holder:
            self._told_term, self._told_holder = 0, holder
            log.info("following", lease=LEASE_NAME, holder=holder)
            self.feed.put(Following(holder))

    def _transitions(self) -> int:
        return self._state.known.transitions if self._state.known is not None else 0

    def _failed(self, error: KubeError) -> None:
        if str(error) != self._failing:
            self._witness.failing(WHAT, error)
        self._failing = str(error)

    def _succeeded(self) -> None:
        if self._failing:
            self._witness.watching(WHAT)
        self._failing = ""


def candidate_of(settings: ControllerSettings, pod_name: str) -> Candidate:
    """Return who stands for election: the pod, or a process that nobody can be mistaken for."""
    return Candidate(
        identity=pod_name or f"{os.uname().nodename}_{uuid.uuid4()}",
        duration_s=settings.lease_duration_s,
        renew_s=settings.lease_renew_s,
        retry_s=settings.lease_retry_s,
    )


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _wall() -> str:
    """The time as a Lease has it: RFC 3339 with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _jitter() -> float:
    return random.random()  # noqa: S311 - spreads load
