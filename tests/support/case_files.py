"""Files of cases (tests/cases/README.md): short objects to whole ones, and what is expected of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.resources.kinds import BY_NAME
from orchestrator.sources.manifests.documents import read_documents
from tests.support.objects import NAMESPACE

FOLDER = Path(__file__).parents[1] / "cases"

KINDS = {
    "pools": "IPAddressPool",
    "l2Advertisements": "L2Advertisement",
    "bgpAdvertisements": "BGPAdvertisement",
    "peers": "BGPPeer",
    "bfdProfiles": "BFDProfile",
    "communities": "Community",
    "reservations": "AddressReservation",
    "quotas": "AddressQuota",
    "secrets": "Secret",
    "nodes": "Node",
    "namespaces": "Namespace",
    "services": "Service",
}
METADATA = {"labels": "labels", "annotations": "annotations", "created": "creationTimestamp"}
WITHOUT_SPEC = frozenset({"type", "data", "stringData", "status"})
SHORT = {"pools": "addresses", "communities": "communities"}

Raw = Mapping[str, Any]
Place = tuple[str, str]
"""The short word of a kind, and a name; Services of other namespaces than `default` are namespace/name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changes (None: the object is deleted), and what follows."""

    what: str
    given: Mapping[Place, Raw | None]
    then: Raw
    seconds: float = 0
    restarted: bool = False
    expired: bool = False
    incomplete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The steps of one story; `classes` are served (without: Services that have none), `released` are the times."""

    file: Path
    what: str
    steps: tuple[Step, ...]
    classes: Raw = field(default_factory=dict)
    released: Raw = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.file.parent.name}/{self.file.stem}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """One file; `sections` are the contract's paragraphs that it shows."""

    file: Path
    title: str
    sections: tuple[str, ...]
    cases: tuple[Case, ...]


def read_all() -> tuple[CaseFile, ...]:
    """Return every file of cases, by name."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*/*.yaml")))


def _read(path: Path) -> CaseFile:
    (document,) = read_documents(path.read_text())
    assert not document.faults, (path, document.faults)
    content: Any = document.value
    _only(content, {"title", "contract", "defaults", "given", "cases"}, path.name)
    defaults, shared = content.get("defaults", {}), content.get("given", {})
    return CaseFile(
        file=path,
        title=content["title"],
        sections=tuple(str(section) for section in content["contract"]),
        cases=tuple(_case(path, raw, defaults, shared) for raw in content["cases"]),
    )


def _case(path: Path, raw: Any, defaults: Raw, shared: Raw) -> Case:
    where = f"{path.name}: {raw.get('what')}"
    _only(raw, {"what", "classes", "released", "given", "incomplete", "then", "afterwards"}, where)
    first = Step(
        what="",
        given={**_given(shared, defaults), **_given(raw.get("given", {}), defaults)},
        then=raw.get("then", {}),
        incomplete=raw.get("incomplete", False),
    )
    later = [_later(step, defaults, where) for step in raw.get("afterwards", [])]
    settings = {name: raw.get(name, {}) for name in ("classes", "released")}
    return Case(file=path, what=raw["what"], steps=(first, *later), **settings)


def _later(raw: Any, defaults: Raw, where: str) -> Step:
    _only(raw, {"what", "given", "seconds", "restarted", "expired", "incomplete", "then"}, where)
    flags = {name: raw.get(name, False) for name in ("restarted", "expired", "incomplete")}
    given, seconds = _given(raw.get("given", {}), defaults), raw.get("seconds", 0)
    return Step(what=raw["what"], given=given, then=raw["then"], seconds=seconds, **flags)


def _only(raw: Raw, allowed: set[str], where: str) -> None:
    assert set(raw) <= allowed, f"{where}: unknown words {sorted(set(raw) - allowed)}"


def _given(given: Raw, defaults: Raw) -> dict[Place, Raw | None]:
    return {
        (word, name): None if removed(body) else _object(word, name, body, defaults.get(word, {}))
        for word, objects in given.items()
        for name, body in objects.items()
    }


def removed(body: object) -> bool:
    return body == "deleted"


def _object(word: str, name: str, body: Any, defaults: Raw) -> Raw:
    """A whole object; one that has an apiVersion is one already."""
    if isinstance(body, dict) and "apiVersion" in body:
        return {"kind": KINDS[word], **body, "metadata": {"name": name, **body.get("metadata", {})}}
    if not isinstance(body, dict):
        body = {} if body is None else {SHORT[word]: [body] if isinstance(body, str) else body}
    kind = BY_NAME[KINDS[word]]
    fields = {**defaults, **body}
    namespace, _, own_name = name.rpartition("/")
    metadata = {METADATA[key]: fields.pop(key) for key in METADATA if key in fields}
    if kind.namespaced:
        metadata["namespace"] = namespace or ("default" if word == "services" else NAMESPACE)
    outside = {key: fields.pop(key) for key in WITHOUT_SPEC & set(fields) if word in {"secrets", "nodes"}}
    status = {"status": _status(fields.pop("held"))} if "held" in fields else {}
    if word == "services":
        fields = {"type": "LoadBalancer", "ports": [80], **fields}
        fields["ports"] = [*map(_port, fields["ports"])]
    spec = {"spec": fields} if word not in {"secrets", "nodes", "namespaces"} else {}
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": own_name, **metadata}}
    return {**head, **spec, **outside, **status}


def _status(held: Any) -> Raw:
    entries = [entry if isinstance(entry, dict) else {"ip": entry} for entry in held]
    return {"loadBalancer": {"ingress": entries}}


def _port(port: Any) -> Any:
    """`53/UDP` for short; a number alone is a TCP port."""
    if isinstance(port, dict):
        return port
    number, _, protocol = str(port).partition("/")
    return {"name": f"port-{number}", "port": int(number), "protocol": protocol or "TCP"}


def cases() -> Iterator[Case]:
    """Yield every case of every file."""
    for file in read_all():
        yield from file.cases
