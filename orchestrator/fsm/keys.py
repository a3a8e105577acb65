"""Which key signs heartbeats, and which are accepted, while a cluster changes its key.

Nodes learn of a new key one after the other: a mounted Secret takes kubelet a minute or more. A node that has the new
one goes on signing with the old one for a while, and accepts both for twice as long, so that nobody is lost meanwhile.
The empty key signs nothing: once there is a real one, it is neither used nor accepted any more.
"""

from dataclasses import dataclass

SIGN_WITH_OLD_S = 120.0
ACCEPT_OLD_S = 2 * SIGN_WITH_OLD_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The key of the orders, and the one before it; `since` is when that changed, in monotonic seconds."""

    newest: bytes
    old: bytes = b""
    since: float = 0.0

    def after(self, key: bytes, now: float) -> "Keys":
        """Return the keys when the orders name `key`."""
        return self if key == self.newest else Keys(newest=key, old=self.newest, since=now)

    def signing(self, now: float) -> bytes:
        """Return the key for what is sent."""
        return self.old if self.old and now < self.since + SIGN_WITH_OLD_S else self.newest

    def accepted(self, now: float) -> tuple[bytes, ...]:
        """Return the keys for what is received, the likeliest first."""
        if not self.old or now >= self.since + ACCEPT_OLD_S:
            return (self.newest,)
        signing = self.signing(now)
        return (signing, self.old if signing == self.newest else self.newest)
