"""The condition `ferrule.io/Allocated` of a Service: its addresses and their pool, or why it has none.

True with the reason of a refusal means that it keeps addresses although something is wrong with what it asks for.
"""

from collections.abc import Sequence
from enum import Enum

from orchestrator.decide.requests import AllocationRefusal
from orchestrator.resources.meta import Condition

ALLOCATED = "ferrule.io/Allocated"


class AllocatedReason(Enum):
    """The reason of a Service that has what it asks for; all others are a RefusalReason."""

    ALLOCATED = "Allocated"


def allocated(addresses: Sequence[str], pool: str, refusal: AllocationRefusal | None) -> Condition | None:
    """Return the condition without a transition time; None if nothing is known of the Service.

    `addresses` are those of its status; `pool` is empty if no pool is known to have them.
    """
    held = f"{', '.join(addresses)} from pool {pool}" if pool else ", ".join(addresses)
    if refusal is None:
        return _condition("True", AllocatedReason.ALLOCATED.value, held) if addresses else None
    if addresses:
        return _condition("True", refusal.reason.value, f"keeps {held}; but {refusal.message}")
    return _condition("False", refusal.reason.value, refusal.message)


def _condition(status: str, reason: str, message: str) -> Condition:
    return Condition(type=ALLOCATED, status=status, reason=reason, message=message)
