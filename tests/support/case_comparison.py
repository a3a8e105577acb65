"""What a case expects, compared with what came: every difference is a line."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from orchestrator.decide.annotations import ALLOCATED_FROM_POOL
from orchestrator.net.addresses import AddressRange
from orchestrator.resources.meta import ObjectKey, Problem, Severity
from orchestrator.resources.secret_text import SecretText
from tests.support.case_files import Raw
from tests.support.case_world import Seen

ATTRIBUTES = {"bfdProfiles": "bfd_profiles", "lockedPeers": "locked_peers"}
WORDS = {"services", "pools", "problems", "usable", "config", "summary"}


def differences(then: Raw, seen: Seen) -> Iterator[str]:
    """Yield a line for everything that is not as `then` says; problems that it does not mention are differences too."""
    assert set(then) <= WORDS, f"unknown words {sorted(set(then) - WORDS)}"
    yield from seen.unsettled
    yield from _problem_differences(then.get("problems", []), seen.problems)
    for name, wanted in then.get("services", {}).items():
        namespace, _, own_name = name.rpartition("/")
        yield from _service_differences(name, wanted, ObjectKey(namespace or "default", own_name), seen)
    for name, usage in then.get("pools", {}).items():
        yield from _subset(usage, seen.usage[name], f"status of pool {name}")
    for word, names in then.get("usable", {}).items():
        yield from _subset(sorted(names), sorted(getattr(seen.config, ATTRIBUTES.get(word, word))), f"usable {word}")
    for word, wanted in then.get("config", {}).items():
        yield from _subset(wanted, plain(getattr(seen.config, ATTRIBUTES.get(word, word))), word)
    if "summary" in then:
        yield from _subset(then["summary"], seen.summary, "errorSummary")


# Problems -------------------------------------------------------------------------------------------------------------


def _problem_differences(wanted: list[str], problems: tuple[Problem, ...]) -> Iterator[str]:
    """Each is written `[warning ]Kind name[ field]: part of the message`."""
    left = list(problems)
    for text in wanted:
        found = next((problem for problem in left if _is(problem, text)), None)
        if found is None:
            yield f"missing problem: {text}"
        else:
            left.remove(found)
    yield from (f"unexpected problem: {_head(problem)}: {problem.message}" for problem in left)


def _head(problem: Problem) -> str:
    severity = "warning " if problem.severity is Severity.WARNING else ""
    field = f" {problem.field}" if problem.field else ""
    return f"{severity}{problem.ref.kind} {problem.ref.name}{field}"


def _is(problem: Problem, text: str) -> bool:
    head, _, part = text.partition(": ")
    return head == _head(problem) and part in problem.message


# Services -------------------------------------------------------------------------------------------------------------


def _service_differences(name: str, wanted: Any, key: ObjectKey, seen: Seen) -> Iterator[str]:
    """An address or a list of them stands for `{addresses: ...}`; without `reason`, none may be refused."""
    if not isinstance(wanted, dict):
        wanted = {"addresses": wanted}
    unknown = set(wanted) - {"addresses", "pool", "reason", "says", "events", "written"}
    assert not unknown, f"{name}: unknown words {sorted(unknown)}"
    if key not in seen.services:
        yield f"{name} is no usable Service"
        return
    service = seen.services[key]
    addresses = wanted.get("addresses", [])
    held = [entry.ip or entry.hostname for entry in service.status.load_balancer.ingress]
    yield from _subset([addresses] if isinstance(addresses, str) else addresses, held, f"{name} addresses")
    if "pool" in wanted:
        pool = service.metadata.annotations.get(ALLOCATED_FROM_POOL)
        yield from _subset(wanted["pool"], pool, f"{name} {ALLOCATED_FROM_POOL}")
    refusal = seen.refusals.get(key)
    yield from _subset(wanted.get("reason"), None if refusal is None else refusal.reason.value, f"{name} reason")
    message = "" if refusal is None else refusal.message
    says = wanted.get("says", [])
    for part in [says] if isinstance(says, str) else says:
        if part not in message:
            yield f"{name} says: {part!r} is not in {message!r}"
    if "events" in wanted:
        yield from _event_differences(name, wanted["events"], key, seen)
    if "written" in wanted:
        yield from _subset(wanted["written"], key in seen.written, f"{name} written")


def _event_differences(name: str, wanted: list[str], key: ObjectKey, seen: Seen) -> Iterator[str]:
    """Each is written `Type reason: part of the message`, in their order."""
    told = seen.events.get(key, ())
    heads = [f"{event.severity.value} {event.reason}" for event in told]
    yield from _subset([text.partition(": ")[0] for text in wanted], heads, f"{name} events")
    for text, event in zip(wanted, told, strict=False):
        part = text.partition(": ")[2]
        if part not in event.message:
            yield f"{name} event {event.reason}: {part!r} is not in {event.message!r}"


# Values ---------------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value of Config as YAML would have it."""
    match value:
        case timedelta():
            return f"{value.total_seconds():g}s"
        case Enum():
            return value.value
        case SecretText():
            return value.open()
        case AddressRange() | None | bool() | int() | str():
            return str(value) if isinstance(value, AddressRange) else value
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case frozenset():
            return sorted(map(plain, value))
        case list() | tuple() if not hasattr(value, "_fields"):
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and type(value).__str__ is object.__str__:
            return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            return str(value)


def _subset(wanted: Any, found: Any, where: str) -> Iterator[str]:
    """Mappings may have more than is wanted; all else is equal."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            yield from _subset(value, found.get(key), f"{where}.{key}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _subset(one, other, f"{where}[{index}]")
    elif wanted != found:
        yield f"{where}: expected {wanted!r}, found {found!r}"
