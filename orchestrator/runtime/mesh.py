"""The heartbeats of this node's responder: sent to the peers of the table, received, turned into an outlook.

A heartbeat is sent at once, beside the regular ones, to a peer that is heard for the first time or again, and to all
when this node's own role changes: what they need to know does not wait for the interval.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from orchestrator.apply.datagrams import DatagramSocket, Place, open_all
from orchestrator.fsm import membership
from orchestrator.fsm.heartbeat import Heartbeat, Refusal, decode, encode
from orchestrator.fsm.liveness import NEVER, PeerView, is_new_acquaintance
from orchestrator.fsm.membership import Membership, Outlook
from orchestrator.fsm.orders import MeshOrders
from orchestrator.fsm.tally import Tally
from orchestrator.net.addresses import IpAddress, family_of

DATAGRAMS_PER_WAKE_UP = 1024


class Mesh:
    """Runs inside the event loop. `on_outlook` is called whenever the outlook differs from the one told before."""

    def __init__(self, node: str, tally: Tally, on_outlook: Callable[[Outlook], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._node = node
        self._tally = tally
        self._on_outlook = on_outlook
        self._instance = secrets.randbits(64)
        self._sequence = 0
        self._able = True
        self._orders: MeshOrders | None = None
        self._addresses: Mapping[str, tuple[IpAddress, ...]] = {}
        self._membership: Membership | None = None
        self._outlook: Outlook | None = None
        self._sockets: dict[Place, DatagramSocket] = {}
        self._beat_at = 0.0
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
        if orders == self._orders and not self._state.leaving:
            return
        self._open_sockets(orders)
        self._orders = orders
        self._addresses = dict(orders.peers)
        now = self._loop.time()
        if self._membership is None:
            self._membership = membership.started(self._node, self._addresses, orders.timing, now)
        else:
            self._membership = membership.with_peers(self._membership, self._addresses, orders.timing, now)
        self._membership = replace(self._membership, able=self._able)
        self._beat_at = now
        self._beat()
        self._look()

    def leave(self) -> None:
        """Tell every peer at once, and again with each heartbeat, that this node owns nothing any more."""
        if self._membership is not None:
            self._membership = membership.leaving(self._membership)
            self._look()

    def set_able(self, able: bool) -> None:
        """False: none of the interfaces that announcements are for has carrier. This node then stands by."""
        self._able = able
        if self._membership is not None and self._membership.able is not able:
            self._membership = replace(self._membership, able=able)
            self._look()

    def is_current(self) -> bool:
        """False when this process slept so long that its peers take it for dead; it is then SETTLING already."""
        return True

    def last_heard(self, node: str) -> float | None:
        """When a heartbeat of `node` came last, in monotonic seconds; None: never."""
        view = self._membership.views.get(node) if self._membership is not None else None
        return None if view is None or view.heard_at == NEVER else view.heard_at

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

    def _close_socket(self, place: Place) -> None:
        closed = self._sockets.pop(place)
        self._loop.remove_reader(closed)
        closed.close()

    def _beat(self) -> None:
        """One round of heartbeats. The next is an interval after this one was due; rounds that were missed are not made up for."""
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
        for peer in self._addresses:
            self._send(peer)

    def _send(self, peer: str) -> None:
        assert self._orders is not None, "timers and sockets exist only after the first orders"
        self._sequence += 1
        heartbeat = Heartbeat(
            sender=self._node,
            receiver=peer,
            instance=self._instance,
            sequence=self._sequence,
            flags=membership.flags_for(self._state, peer, self._loop.time()),
        )
        datagram = encode(heartbeat, self._orders.key)
        for address in self._addresses[peer]:
            self._sockets[family_of(address), self._orders.port].send(datagram, address)

    def _receive(self, source: DatagramSocket) -> None:
        """Most heartbeats only push the silence away: who lives is asked again when one says something new."""
        if self._read(source):
            self._look()

    def _look(self) -> None:
        """Read first, then judge by the clock: what has arrived is no silence, however late we look."""
        for each in self._sockets.values():
            self._read(each)
        now = self._loop.time()
        self._membership = membership.at(self._state, now)
        self._publish(membership.outlook(self._membership, now))
        self._plan_look(now)

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
        assert self._orders is not None, "timers and sockets exist only after the first orders"
        heartbeat = decode(datagram, self._orders.key)
        if isinstance(heartbeat, Refusal):
            self._tally.heartbeats[heartbeat] += 1
            return False
        after = membership.receive(self._state, heartbeat, self._loop.time())
        if isinstance(after, Refusal):
            self._tally.heartbeats[after] += 1
            return False
        before, self._membership = self._state.views[heartbeat.sender], after
        return self._noticed(before, after.views[heartbeat.sender], heartbeat.sender)

    def _noticed(self, before: PeerView, after: PeerView, peer: str) -> bool:
        if is_new_acquaintance(before, after):
            self._send(peer)
        return (before.state, before.flags, before.held_until) != (after.state, after.flags, after.held_until)

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
