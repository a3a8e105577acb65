"""The condition `Accepted` of a configuration object: whether it is used, what is wrong with it, what is used instead."""

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

from orchestrator.config.model import Config, Resolved
from orchestrator.resources.meta import Condition, ObjectRef, Problem, Severity

ACCEPTED = "Accepted"


class AcceptedReason(Enum):
    """Why the condition is what it is."""

    ACCEPTED = "Accepted"
    ACCEPTED_WITH_WARNINGS = "AcceptedWithWarnings"
    INVALID = "Invalid"


class InUse(Enum):
    """What is used of an object with errors."""

    LAST_GOOD = "its last good version stays in use"
    SESSION = "a session of it that runs is kept as it is"
    NOTHING = "nothing of it is in use"


def in_use(ref: ObjectRef, resolved: Resolved) -> InUse:
    """Return what is used of an object that has errors."""
    if ref.kind == "BGPPeer" and ref.name in resolved.config.held_peers:
        return InUse.SESSION
    used = _names(ref.kind, resolved.config)
    if ref in resolved.last_good and (used is None or ref.name in used):
        return InUse.LAST_GOOD
    return InUse.NOTHING


def accepted(problems: Sequence[Problem], instead: InUse, generation: int) -> Condition:
    """Return the condition without a transition time; `generation` 0 is unknown, `instead` is said of errors only."""
    errors = sorted(_text(problem) for problem in problems if problem.severity is Severity.ERROR)
    warnings = sorted(_text(problem) for problem in problems if problem.severity is Severity.WARNING)
    told = [f"warning: {text}" for text in warnings] if errors else warnings
    status, reason = "True", AcceptedReason.ACCEPTED_WITH_WARNINGS if warnings else AcceptedReason.ACCEPTED
    if errors:
        status, reason, told = "False", AcceptedReason.INVALID, [*errors, *told, instead.value]
    return Condition(
        type=ACCEPTED,
        status=status,
        reason=reason.value,
        message="\n".join(told),
        observed_generation=generation or msgspec.UNSET,
    )


def _text(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


def _names(kind: str, config: Config) -> Mapping[str, object] | frozenset[str] | None:
    """The names of a kind that are in use; None if the configuration does not name them."""
    match kind:
        case "IPAddressPool":
            return config.pools
        case "BGPPeer":
            return config.peers
        case "BFDProfile":
            return config.bfd_profiles
        case "AddressReservation":
            return config.reservations
        case "AddressQuota":
            return config.quotas
        case "L2Advertisement":
            return frozenset(one.name for pool in config.pools.values() for one in pool.l2_advertisements)
        case "BGPAdvertisement":
            return frozenset(one.name for pool in config.pools.values() for one in pool.bgp_advertisements)
        case _:
            return None
