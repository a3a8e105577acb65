"""One watch: everything that matches a selection, listed in pages, then followed for ever.

A list is compared with what is known (key -> resourceVersion): new and changed objects are told page by page, missing
ones only when the list is complete. So a relist, whatever the reason, never empties anything, and an unchanged object
costs no more than a look at its version.

A stream that ends is resumed where it ended. It is believed only while it speaks: a bookmark comes about every minute,
and before the end that we ask for. One that was silent is not resumed but listed anew: an etcd that was restored from a
backup counts from a lower version, and a watch from a version of the future hears nothing at all (seen on 1.34).
"""

import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import msgspec

from orchestrator.errors import KubeError
from orchestrator.resources.meta import ObjectKey
from orchestrator.sources.kube.api import Api, Request
from orchestrator.sources.kube.backoff import GONE, REFUSALS
from orchestrator.sources.kube.decode import HEAD, PAGE, STATUS, UNREADABLE, WATCH_EVENT, EventKind, Page
from orchestrator.sources.kube.lines import Lines
from orchestrator.sources.kube.patience import Patience
from orchestrator.sources.kube.witness import Witness

FLEETING_S = 1.0
"""A stream that ends sooner without a word counts as a failure: something in between answers for the server."""
ENDED_AT_ONCE = "ended at once, without a word"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much at a time, and how long. The server ends a watch after a random time between `shortest_s` and `longest_s`,
    so that those of many processes do not end together. A stream that is silent for `silence_s` is not believed: bookmarks
    come about every 60 s, sometimes a few seconds late (a peer that is silent on TCP's level is noticed sooner: see `api`).
    """

    page_size: int = 500
    shortest_s: int = 240
    longest_s: int = 480
    silence_s: float = 90.0


USUAL = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is watched: `resource` as RBAC names it, `what` for people, `path` of the collection, selectors as queries."""

    resource: str
    what: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Present:
    """An object that is new or has changed; `raw` is valid only while it is being handed over."""

    key: ObjectKey
    version: str
    raw: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Gone:
    """An object that is no more, or no longer matches."""

    key: ObjectKey


Change = Present | Gone


class Listener(Protocol):
    """Takes what a watch finds; no call blocks."""

    def arrived(self, changes: Sequence[Change]) -> None:
        """These came together."""
        ...

    def listed(self) -> None:
        """All that there is has been told."""
        ...

    def refused(self, error: KubeError) -> None:
        """A list was answered with 403 or 404."""
        ...


class Watch:
    """Follows one selection. `known` is what the listener has been told."""

    def __init__(self, api: Api, selection: Selection, listener: Listener, witness: Witness, pace: Pace) -> None:
        self._api = api
        self._pace = pace
        self._selection = selection
        self._listener = listener
        self._witness = witness
        self._patience = Patience()
        self._version = ""
        self._failing = ""
        self.known: dict[ObjectKey, str] = {}

    async def run(self) -> NoReturn:
        """List and watch until cancelled."""
        while True:
            await self._patience.persist(self._round, self._failed)

    async def _round(self) -> None:
        """List if need be, then follow one stream to its end. Raises KubeError."""
        if not self._version:
            self._version = await self._list()
        await self._follow()

    # --- list -------------------------------------------------------------------------------------------------------

    async def _list(self) -> str:
        """Tell what is there and what is no more; return the version to watch from."""
        seen: set[ObjectKey] = set()
        page = await self._page("")
        self._take(page, seen)
        while page.metadata.continue_:
            page = await self._page(page.metadata.continue_)
            self._take(page, seen)
        if missing := [key for key in self.known if key not in seen]:
            for key in missing:
                del self.known[key]
            self._listener.arrived([Gone(key) for key in missing])
        self._listener.listed()
        return page.metadata.resource_version

    async def _page(self, rest: str) -> Page:
        query = {**self._selection.query, "limit": str(self._pace.page_size), **({"continue": rest} if rest else {})}
        try:
            return PAGE.decode(await self._api.send(self._request("list", query)))
        except KubeError as error:
            if error.status in REFUSALS:
                self._listener.refused(error)
            raise

    def _take(self, page: Page, seen: set[ObjectKey]) -> None:
        changes: list[Change] = []
        for raw in page.items or ():
            head = HEAD.decode(raw)
            key = head.key
            seen.add(key)
            if self.known.get(key) != head.version:
                self.known[key] = head.version
                changes.append(Present(key, head.version, raw))
        if changes:
            self._listener.arrived(changes)

    # --- watch ------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Tell what changes until the stream ends. Raises KubeError; 410 once there is nothing to resume from."""
        length = random.randint(self._pace.shortest_s, self._pace.longest_s)  # noqa: S311 - spreads load
        query = {
            **self._selection.query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(length),
        }
        opened = time.monotonic()
        spoken = False
        try:
            async with self._api.stream(self._request("watch", query), self._pace.silence_s) as pieces:
                self._live()
                async for batch in _lines(pieces):
                    self._hear(batch)
                    spoken = True
                    self._patience.progress()
        except KubeError as error:
            if error.status == GONE or error.reason == UNREADABLE:
                self._version = ""
            raise
        finally:
            lasted = time.monotonic() - opened
            if lasted > FLEETING_S:
                self._patience.progress()
            if not spoken and lasted > self._pace.silence_s / 2:
                self._version = ""
        if not spoken and lasted < FLEETING_S:
            raise KubeError(ENDED_AT_ONCE, request=f"watch {self._selection.resource}")

    def _hear(self, lines: Sequence[bytes]) -> None:
        changes: list[Change] = []
        try:
            for line in lines:
                event = WATCH_EVENT.decode(line)
                if event.type is EventKind.ERROR:
                    raise self._server_error(event.object)
                head = HEAD.decode(event.object)
                self._version = head.version
                key = head.key
                if event.type is EventKind.DELETED:
                    if self.known.pop(key, None) is not None:
                        changes.append(Gone(key))
                elif event.type is not EventKind.BOOKMARK:
                    self.known[key] = head.version
                    changes.append(Present(key, head.version, event.object))
        finally:
            if changes:
                self._listener.arrived(changes)

    def _server_error(self, raw: msgspec.Raw) -> KubeError:
        status = STATUS.decode(raw)
        return KubeError(
            f"{status.code} {status.reason}: {status.message}",
            request=f"watch {self._selection.resource}",
            status=GONE if status.reason == "Expired" else status.code,
            reason=status.reason,
        )

    # --- fate -------------------------------------------------------------------------------------------------------

    def _failed(self, error: KubeError) -> None:
        """A history that is gone is nobody's fault: the list that follows makes up for it."""
        if error.status != GONE and str(error) != self._failing:
            self._failing = str(error)
            self._witness.failing(self._selection.what, error)

    def _live(self) -> None:
        self._failing = ""
        self._witness.watching(self._selection.what)

    def _request(self, verb: str, query: Mapping[str, str]) -> Request:
        return Request(
            verb=verb, resource=self._selection.resource, method="GET", path=self._selection.path, query=query
        )


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[Sequence[bytes]]:
    """The complete lines of each piece; those of a cut stream's last, partial line are left out."""
    lines = Lines()
    async for piece in pieces:
        if batch := list(lines.feed(piece)):
            yield batch
