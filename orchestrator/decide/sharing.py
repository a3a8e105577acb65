"""Who may use one address together (contract 2.7), and between which two Services it fails.

A refusal begins with MetalLB's words; then it says for each Service in the way what differs, and what to do.
"""

from collections.abc import Iterator, Mapping
from enum import Enum

from orchestrator.config.wording import shortened
from orchestrator.decide.ledger import Ledger
from orchestrator.decide.requests import AllocationRefusal, RefusalReason
from orchestrator.decide.space import Port, Tenancy
from orchestrator.net.addresses import IpAddress
from orchestrator.resources.meta import ObjectKey

MOST_EXPLAINED = 3
"""An address may have a thousand users; the first by name are examples enough."""


class Beside(Enum):
    """Whose use of an address counts: who takes it anew gives way to everybody, who has it only to Services of ours."""

    ANYBODY = "anybody"
    OUR_OWN = "ourOwn"


def sharing_refusal(
    service: ObjectKey, tenancy: Tenancy, address: IpAddress, ledger: Ledger, beside: Beside = Beside.ANYBODY
) -> AllocationRefusal | None:
    """Return why the Service may not use an address beside its present users."""
    if ledger.has_room(address, service, tenancy):
        return None
    users = ledger.users(address).items()
    others = {key: it for key, it in users if key != service and not (it.foreign and beside is Beside.OUR_OWN)}
    if (not tenancy.sharing_key and others) or any(other.terms != tenancy.terms for other in others.values()):
        names = ",".join(str(key) for key in sorted(others))
        why = "; ".join(shortened(list(_differences(tenancy, others)), MOST_EXPLAINED))
        message = f'can\'t change sharing key for "{service}", address also in use by {names}; {why}'
        return AllocationRefusal(RefusalReason.SHARING_KEY_DIFFERS, message)
    taken = {port for other in others.values() for port in other.ports} & tenancy.ports
    if taken:
        owners = "; ".join(shortened(list(_port_owners(tenancy, others)), MOST_EXPLAINED))
        message = (
            f'port {_text(min(taken))} is already in use on "{address}"; {owners}; use other ports or another address'
        )
        return AllocationRefusal(RefusalReason.PORT_IN_USE, message)
    return None


def _differences(tenancy: Tenancy, others: Mapping[ObjectKey, Tenancy]) -> Iterator[str]:
    """One sentence for each user with whom it cannot share."""
    for key, other in sorted(others.items()):
        if not tenancy.sharing_key or other.terms != tenancy.terms:
            yield f"{key} {_difference(tenancy, other)}"


def _difference(mine: Tenancy, other: Tenancy) -> str:
    if other.foreign:
        return "is of another loadBalancerClass: take another address"
    if not other.sharing_key:
        advice = (
            f'give it metallb.io/allow-shared-ip "{mine.sharing_key}"' if mine.sharing_key else "take another address"
        )
        return f"shares with nobody: {advice}, or give both the same metallb.io/allow-shared-ip"
    if mine.sharing_key != other.sharing_key:
        has = f'this one has "{mine.sharing_key}"' if mine.sharing_key else "this one has none"
        return f'has metallb.io/allow-shared-ip "{other.sharing_key}", {has}: give both the same'
    return _backend_difference(mine, other)


def _backend_difference(mine: Tenancy, other: Tenancy) -> str:
    """Their traffic would need other nodes (contract 2.7)."""
    if not mine.backend_key or not other.backend_key:
        which, this = ("Local", "Cluster") if other.backend_key else ("Cluster", "Local")
        return f"has externalTrafficPolicy {which}, this one {this}: give both the same"
    (namespace, _, selector), (my_namespace, _, my_selector) = (
        text.partition("/") for text in (other.backend_key, mine.backend_key)
    )
    if namespace != my_namespace:
        return "is of another namespace, and both have externalTrafficPolicy Local: use Cluster for both"
    return (
        f'selects "{selector}", this one "{my_selector}", and both have externalTrafficPolicy Local: '
        "use one selector or Cluster for both"
    )


def _port_owners(tenancy: Tenancy, others: Mapping[ObjectKey, Tenancy]) -> Iterator[str]:
    for key, other in sorted(others.items()):
        common = sorted(other.ports & tenancy.ports)
        if common:
            yield f"{key} has {', '.join(_text(port) for port in common)}"


def _text(port: Port) -> str:
    protocol, number = port
    return f"{protocol}/{number}"
