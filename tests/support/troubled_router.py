"""A router with one neighbor for each kind of trouble: bgpd tells the node's sessions apart by the address they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from orchestrator.config.model import Peer
from orchestrator.decide.sessions import SessionReason
from orchestrator.lab.namespaces import add_address
from orchestrator.net.bgp import Asn
from orchestrator.resources.secret_text import SecretText
from tests.support.frr import Daemons
from tests.support.frr_documents import peer

PASSWORD = "open-sesame-7391"
"""Of the peers that have one; nowhere else in any output."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`number` makes the addresses of both ends; `router` are lines of the router's neighbor, None: it has none."""

    number: int
    expected: SessionReason
    fields: Mapping[str, Any] = field(default_factory=dict)
    router: tuple[str, ...] | None = ()

    @property
    def here(self) -> str:
        return f"10.99.0.{self.number}"

    @property
    def there(self) -> str:
        return f"10.99.0.{self.number + 100}"


TROUBLES: Mapping[str, Trouble] = {
    "good": Trouble(10, SessionReason.ESTABLISHED),
    "wrong-as": Trouble(11, SessionReason.WRONG_AS, {"remote_as": Asn(65099)}),
    "wrong-as-there": Trouble(12, SessionReason.WRONG_AS, router=("local-as 65077",)),
    "wrong-password": Trouble(
        13, SessionReason.PASSWORD_MISMATCH, {"password": SecretText(PASSWORD)}, ("password other",)
    ),
    "no-password-there": Trouble(14, SessionReason.PASSWORD_MISMATCH, {"password": SecretText(PASSWORD)}),
    "no-password-here": Trouble(15, SessionReason.NO_ANSWER, router=("password other",)),
    "refused": Trouble(16, SessionReason.REFUSED, {"port": 1790}),
    "stranger": Trouble(17, SessionReason.CLOSED_BY_PEER, router=None),
}


def prepare(node: Daemons, router: Daemons) -> None:
    """Give both ends their addresses, and the router its file."""
    for trouble in TROUBLES.values():
        add_address(node.namespace, "eth0", f"{trouble.here}/24")
        add_address(router.namespace, "eth0", f"{trouble.there}/24")
    known = [trouble for trouble in TROUBLES.values() if trouble.router is not None]
    lines = ["router bgp 65000", " bgp router-id 10.99.0.254", " no bgp ebgp-requires-policy"]
    for trouble in known:
        options = ("remote-as 65001", f"update-source {trouble.there}", "passive", *(trouble.router or ()))
        lines += [f" neighbor {trouble.here} {option}" for option in options]
    router.run.daemon_conf("bgpd").write_text("\n".join((*lines, "exit", "")))
    router.run.daemon_conf("bgpd").chmod(0o644)


def peers(**more: Any) -> tuple[Peer, ...]:
    """A peer for each trouble, one whose address nobody has, and one that there is no route to."""
    timers = {"hold_time": timedelta(seconds=3), "keepalive_time": timedelta(seconds=1), **more}
    found = [
        peer(name, trouble.there, source_address=ip_address(trouble.here), **{**timers, **trouble.fields})
        for name, trouble in TROUBLES.items()
    ]
    return (*found, peer("nobody", "10.99.0.99", **timers), peer("far", "203.0.113.9", ebgp_multi_hop=True, **timers))


EXPECTED: Mapping[str, SessionReason] = {
    **{name: trouble.expected for name, trouble in TROUBLES.items()},
    "nobody": SessionReason.NO_NEIGHBOR,
    "far": SessionReason.NO_ROUTE,
}
