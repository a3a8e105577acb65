"""The heartbeats of this node's responder: sent to the peers of the table, received, turned into an outlook.

A heartbeat is sent at once, beside the regular ones, to a peer that is heard for the first time or again or is lost,
and to all when this node's own role changes: what they need to know does not wait for the interval.

A process that was stopped, or whose machine slept, must not act on what it knew: see `is_current`. CLOCK_BOOTTIME goes
on while a machine sleeps. No clock of one node is ever compared with that of another.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from orchestrator.apply.datagrams import DatagramSocket, Place, open_all
from orchestrator.fsm import membership
from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag, Refusal, Traffic, decode, encode
from orchestrator.fsm.keys import Keys
from orchestrator.fsm.liveness import (
    MISSED_INTERVALS,
    NodeState,
    PeerView,
    failed_at,
    is_new_acquaintance,
    is_news,
)
from orchestrator.fsm.membership import Membership, Outlook
from orchestrator.fsm.orders import MeshOrders
from orchestrator.fsm.tally import Tally
from orchestrator.net.addresses import IpAddress, family_of

DATAGRAMS_PER_WAKE_UP = 1024
BATCHES_PER_INTERVAL = 10

Path = tuple[DatagramSocket, str]
"""Where to send from, and the address to send to as text."""

log = structlog.get_logger()


class Mesh:
    """Runs inside the event loop. `on_outlook` is called whenever the outlook differs from the one told before."""

    def __init__(self, node: str, tally: Tally, on_outlook: Callable[[Outlook], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._node = node
        self._tally = tally
        self._on_outlook = on_outlook
        self._instance = secrets.randbits(64)
        self._sequences: Counter[str] = Counter()
        self._able = True
        self._orders: MeshOrders | None = None
        self._keys = Keys(newest=b"")
        self._paths: Mapping[str, tuple[Path, ...]] = {}
        self._membership: Membership | None = None
        self._outlook: Outlook | None = None
        self._sockets: dict[Place, DatagramSocket] = {}
        self._beat_at = 0.0
        self._patience_ends = 0.0
        self._beat_timer: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None

    @property
    def outlook(self) -> Outlook | None:
        """What was told last; None before the first orders."""
        return self._outlook

    def configure(self, orders: MeshOrders) -> None:
        """Talk with these peers from now on; what is known about those that stay is kept, a leave is taken back.

        Raises OSError when the port is taken; then nothing has changed.
        """
        self.is_current()  # a sleep is noticed before any heartbeat says that nothing happened
        if orders == self._orders and not self._state.leaving:
            return
        self._open_sockets(orders)
        self._orders = orders
        self._paths = {peer: tuple(self._path(address) for address in addresses) for peer, addresses in orders.peers}
        now = self._loop.time()
        self._keys = self._keys.after(orders.key, now)
        if self._membership is None:
            self._membership = membership.started(self._node, self._paths, orders.timing, now)
        else:
            self._membership = membership.with_peers(self._membership, self._paths, orders.timing, now)
        self._membership = replace(self._membership, able=self._able, unready=orders.unready)
        self._beat_at = now
        self._send_round()
        self._look()

    def leave(self) -> None:
        """Tell every peer at once, and again with each heartbeat, that this node owns nothing any more."""
        self.is_current()
        if self._membership is not None:
            self._membership = membership.leaving(self._membership)
            self._look()

    def set_able(self, able: bool) -> None:
        """False: all interfaces that announcements are for lost their carrier. All peers are told at once."""
        self._able = able
        self.is_current()
        if self._membership is not None and self._membership.able is not able:
            self._membership = membership.with_carrier(self._membership, able, self._loop.time())
            self._send_to_all()
            self._look()

    def is_current(self) -> bool:
        """False when this process slept so long that its peers take it for dead; it is then SETTLING already."""
        if not self._paths or _boot_time() < self._patience_ends:
            return True
        log.warning("this process slept, others may have taken over")
        self._wake_up()
        return False

    def failed_at(self, node: str) -> float | None:
        """When a node that died or lost its carrier was last heard able to serve; None for any other."""
        view = self._membership.views.get(node) if self._membership is not None else None
        return None if view is None else failed_at(view)

    def close(self) -> None:
        for timer in (self._beat_timer, self._look_timer):
            if timer is not None:
                timer.cancel()
        for place in tuple(self._sockets):
            self._close_socket(place)

    def _open_sockets(self, orders: MeshOrders) -> None:
        wanted = {(family_of(address), orders.port) for _, addresses in orders.peers for address in addresses}
        opened = open_all(wanted - self._sockets.keys())
        for place in self._sockets.keys() - wanted:
            self._close_socket(place)
        for each in opened.values():
            self._loop.add_reader(each, self._receive, each)
        self._sockets.update(opened)

    def _path(self, address: IpAddress) -> Path:
        assert self._orders is not None, "there are addresses only after the first orders"
        return self._sockets[family_of(address), self._orders.port], str(address)

    def _close_socket(self, place: Place) -> None:
        closed = self._sockets.pop(place)
        self._loop.remove_reader(closed)
        closed.close()

    def _wake_up(self) -> None:
        """What waits in the sockets was sent while this process slept: it does not tell who lives now."""
        for each in self._sockets.values():
            each.drain(DATAGRAMS_PER_WAKE_UP)
        now = self._loop.time()
        self._membership = membership.awoken(self._state, now)
        self._beat_at = now
        self._send_round()
        self._look()

    def _beat(self) -> None:
        if self.is_current():
            self._send_round()

    def _send_round(self) -> None:
        """One round of heartbeats. The next is an interval after this one was due; missed ones are not made up for."""
        if self._beat_timer is not None:
            self._beat_timer.cancel()
        self._send_to_all()
        interval_s = self._state.timing.interval_s
        self._beat_at = max(self._beat_at, self._loop.time() - interval_s) + interval_s
        self._beat_timer = self._loop.call_at(self._beat_at, self._beat)

    @property
    def _state(self) -> Membership:
        assert self._membership is not None, "timers and sockets exist only after the first orders"
        return self._membership

    def _send_to_all(self) -> None:
        self._patience_ends = _boot_time() + MISSED_INTERVALS * self._state.timing.interval_s
        now = self._loop.time()
        flags = membership.own_flags(self._state, now)
        for peer in self._paths:
            self._send(peer, flags, now)

    def _send_alone(self, peer: str) -> None:
        now = self._loop.time()
        self._send(peer, membership.own_flags(self._state, now), now)

    def _send(self, peer: str, flags: HeartbeatFlag, now: float) -> None:
        assert self._orders is not None, "timers and sockets exist only after the first orders"
        self._sequences[peer] += 1
        heartbeat = Heartbeat(
            sender=self._node,
            receiver=peer,
            interval_ms=round(self._orders.timing.interval_s * 1000),
            instance=self._instance,
            sequence=self._sequences[peer],
            flags=flags | membership.flags_about(self._state, peer, now),
        )
        datagram = encode(heartbeat, self._keys.signing(now))
        for source, host in self._paths[peer]:
            source.send(datagram, host)
        self._tally.heartbeats[Traffic.SENT] += 1

    def _receive(self, source: DatagramSocket) -> None:
        """Most heartbeats only push the silence away: who lives is asked again when one says something new.

        So the next ones may wait for a tenth of an interval: waking up costs more than reading one.
        """
        if self.is_current() and self._read(source):
            self._look()
            return
        self._loop.remove_reader(source)
        self._loop.call_later(self._state.timing.interval_s / BATCHES_PER_INTERVAL, self._listen, source)

    def _listen(self, source: DatagramSocket) -> None:
        if source in self._sockets.values():
            self._loop.add_reader(source, self._receive, source)

    def _look(self) -> None:
        """Read first, then judge by the clock: what has arrived is no silence, however late we look."""
        if not self.is_current():
            return
        for each in self._sockets.values():
            self._read(each)
        now = self._loop.time()
        before, self._membership = self._state, membership.at(self._state, now)
        self._tell_the_lost(before)
        self._publish(membership.outlook(self._membership, now))
        self._plan_look(now)

    def _tell_the_lost(self, before: Membership) -> None:
        """Who is not heard any more may hear us all the same."""
        for peer, view in self._state.views.items():
            if view is not before.views[peer] and view.state is NodeState.DOWN:
                self._send_alone(peer)

    def _read(self, source: DatagramSocket) -> bool:
        """Take in what has arrived; whether any of it matters to the outlook."""
        matters = False
        for _ in range(DATAGRAMS_PER_WAKE_UP):
            datagram = source.receive()
            if datagram is None:
                break
            matters |= self._take(datagram)
        return matters

    def _take(self, datagram: bytes) -> bool:
        now = self._loop.time()
        heartbeat = self._decode(datagram, now)
        if isinstance(heartbeat, Refusal):
            self._tally.heartbeats[heartbeat] += 1
            return False
        after = membership.receive(self._state, heartbeat, now)
        if isinstance(after, Refusal):
            self._tally.heartbeats[after] += 1
            return False
        before, self._membership = self._state.views[heartbeat.sender], after
        return self._noticed(before, after.views[heartbeat.sender], heartbeat.sender)

    def _decode(self, datagram: bytes, now: float) -> Heartbeat | Refusal:
        for key in self._keys.accepted(now):
            found = decode(datagram, key)
            if found is not Refusal.FORGED:
                break
        return found

    def _noticed(self, before: PeerView, after: PeerView, peer: str) -> bool:
        if after is before:
            return False
        self._tally.heartbeats[Traffic.RECEIVED] += 1
        if is_new_acquaintance(before, after):
            self._send_alone(peer)
        return is_news(before, after)

    def _publish(self, outlook: Outlook) -> None:
        before, self._outlook = self._outlook, outlook
        if outlook == before:
            return
        if before is not None and before.role is not outlook.role:
            self._send_to_all()
        self._on_outlook(outlook)

    def _plan_look(self, now: float) -> None:
        if self._look_timer is not None:
            self._look_timer.cancel()
        next_at = membership.next_change(self._state, now)
        self._look_timer = None if next_at is None else self._loop.call_at(next_at, self._look)


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
