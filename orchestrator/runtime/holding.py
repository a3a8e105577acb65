"""The holdings on the wire: what they ask for is done at once, what they await is waited for.

Owns the timer between `fsm.holdings` and the wire. Messages go to whatever speaker is there.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import structlog

from orchestrator.fsm.contests import Speaker
from orchestrator.fsm.holdings import Holdings, Message
from orchestrator.fsm.membership import Role
from orchestrator.fsm.orders import Orders
from orchestrator.fsm.responder import Claim
from orchestrator.fsm.responder_api import Claimed, Probed
from orchestrator.runtime.wire import Wire

log = structlog.get_logger()


class Keeper:
    """Runs inside the event loop. `nothing_answered` is set while no address is."""

    def __init__(self, wire: Wire, tell: Callable[[Message], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self._tell = tell
        self._holdings = Holdings()
        self._excluded = wire.excluded
        self._is_told = True
        self._timer: asyncio.TimerHandle | None = None
        self.nothing_answered = asyncio.Event()
        self.nothing_answered.set()

    def tell_again(self) -> None:
        """With the next orders, tell every outcome: they are a new speaker's."""
        self._is_told = False

    def order(self, orders: Orders, role: Role) -> None:
        """Put the entries in force as far as the role allows it; to be called again when links have changed."""
        self._excluded = orders.excluded
        self._holdings.order(orders.entries, orders.nodes, role, self._loop.time())
        if not self._is_told:
            self._is_told = True
            self._holdings.tell_again()
        self._act()

    def hear(self, claims: Sequence[Claim], speaker: Speaker) -> None:
        self._holdings.hear(claims, speaker, self._loop.time())
        self._act()

    def defend(self, addresses: Iterable[bytes]) -> None:
        """Announce those that are answered for."""
        self._holdings.defend(addresses, self._loop.time())
        self._act()

    def predecessor(self, address: bytes) -> str:
        """Return, once, the node that had this address before; empty if there is none."""
        return self._holdings.predecessor(address)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _act(self) -> None:
        actions = self._holdings.pass_time(self._loop.time())
        if actions.changed or self._wire.excluded != self._excluded:
            self._wire.set_entries(self._holdings.wire_orders(self._excluded))
        elif actions.released:
            self._wire.release(actions.released)
        if actions.changed or actions.released:
            self._note_answered()
        self._wire.announce(actions.announcements)
        self._holdings.could_not_ask(self._wire.ask(actions.asks))
        for message in actions.messages:
            self._tell(message)
        _log(actions.messages)
        self._wait()

    def _note_answered(self) -> None:
        if self._holdings.is_answering():
            self.nothing_answered.clear()
        else:
            self.nothing_answered.set()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        next_at = self._holdings.next_at()
        self._timer = None if next_at is None else self._loop.call_at(next_at, self._act)


def _log(messages: Sequence[Message]) -> None:
    """Others that have our addresses one by one, what goes as it should in one line.

    Two of our nodes may overlap when an address moves; the speaker says when that is a conflict.
    """
    expected: Counter[str] = Counter()
    for message in messages:
        match message:
            case Claimed():
                tell = log.debug if message.node else log.warning
                tell("address claimed", address=message.address, mac=message.mac, peer=message.node)
            case Probed() if message.mac:
                log.warning("address in use", address=message.address, mac=message.mac)
            case _:
                expected[type(message).__name__.lower()] += 1
    if expected:
        log.info("addresses", **dict(sorted(expected.items())))
