"""Raw mapping (decoded YAML or JSON) to typed struct. Every outcome is a value; every problem of an object is collected.

An unknown field makes a metallb.io or ferrule.io object unusable: the API server refuses it too (kubectl validates
strictly), and a misspelt restriction must not widen an announcement. In Kubernetes' own kinds it is a warning: newer
servers add fields. `null` means absent. BGPPeer v1beta1 becomes v1beta2 (contract 1.5) without the quirk there: a
timer that is absent stays absent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import msgspec

from orchestrator.resources import metallb
from orchestrator.resources.fields import Fault, decode_secret, type_faults, unknown_fields, without_nulls
from orchestrator.resources.kinds import BY_NAME, FERRULE, METALLB, Kind, KubeObject, ref_of
from orchestrator.resources.meta import KubeStruct, ObjectRef, Problem, Severity
from orchestrator.resources.rules import DNS_LABEL, broken_rules

Raw = Mapping[str, object]

DEFAULT_NAMESPACE = "default"
OUR_GROUPS = frozenset({METALLB, FERRULE})
LEGACY_PEER = f"{METALLB}/v1beta1"
DEFAULT_BGP_PORT = 179
_DEPRECATED = Fault("apiVersion", "v1beta1 is deprecated, please use v1beta2")
_LABEL_KINDS = frozenset({"Service", "Namespace"})


@dataclass(frozen=True, slots=True)
class ParsedObject:
    """A usable object with the warnings about it."""

    obj: KubeObject
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """An object of a kind that we do not read."""

    api_version: str
    kind: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An object that cannot be used; an empty kind or name in `ref` means that the object does not say.

    `almost` is what it would be without its unknown fields: `lint` judges that, too, so that all is said at once.
    """

    ref: ObjectRef
    problems: tuple[Problem, ...]
    almost: KubeObject | None = None


Outcome = ParsedObject | Ignored | Refused


def items_of(raw: Raw) -> Iterator[tuple[str, object]]:
    """Yield the objects in a document with their paths: itself at "", or the items of a List at `items[i]`."""
    kind, api_version = raw.get("kind"), raw.get("apiVersion")
    items = raw.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield "", raw
        return
    item_kind = kind.removesuffix("List")
    for index, item in enumerate(items):
        # Items of a typed list, as the API serves it, leave their kind out.
        implied = {"apiVersion": api_version, "kind": item_kind} if item_kind else {}
        yield f"items[{index}]", {**implied, **item} if isinstance(item, dict) else item


def parse_object(raw: object, namespace: str) -> Outcome:
    """Return the object; metallb.io objects that name no namespace are in `namespace`."""
    if not isinstance(raw, dict):
        return _refuse(ObjectRef("", "", ""), Fault("", "is no object; write apiVersion, kind and metadata"))
    kind = _find_kind(raw)
    if isinstance(kind, Fault):
        return _refuse(_rough_ref(raw, namespace), kind)
    if kind is None:
        return Ignored(str(raw["apiVersion"]), str(raw["kind"]))
    pruned = without_nulls({key: value for key, value in raw.items() if key not in {"apiVersion", "kind"}})
    assert isinstance(pruned, dict)
    return _parse(pruned, kind, str(raw["apiVersion"]), _rough_ref(raw, namespace))


def judge_served(obj: KubeObject) -> ParsedObject | Refused:
    """Return the outcome of an object whose values the API server gave and a decoder found of the right types."""
    return _judged(obj, ref_of(obj), ())


def parse_served(raw: Raw, kind: Kind) -> ParsedObject | Refused:
    """Return an object as the API server gives it, in the version that we write, namespace included.

    Names and unknown fields are the server's business: it has checked the former and pruned the latter.
    """
    ref = _rough_ref({**raw, "apiVersion": kind.api_version, "kind": kind.kind}, DEFAULT_NAMESPACE)
    pruned = without_nulls(raw if kind.struct is not metallb.BGPPeer else _with_usual_port(raw))
    try:
        obj = msgspec.convert(pruned, kind.struct, dec_hook=decode_secret)
    except msgspec.ValidationError as error:
        return Refused(ref, _problems(ref, _wrong_types(pruned, kind.struct, error)))
    return _judged(obj, ref, ())


def _with_usual_port(raw: Raw) -> Raw:
    """A peer written as v1beta1 still has its peerPort 0, the default there, when it is read as v1beta2."""
    match raw:
        case {"spec": {"peerPort": 0, **others}}:
            return {**raw, "spec": others}
        case _:
            return raw


def _wrong_types(raw: object, struct: type[KubeStruct], error: msgspec.ValidationError) -> tuple[Fault, ...]:
    return type_faults(raw, struct) or (Fault("", f"cannot be read: {error}; correct the value"),)


def _parse(raw: dict[str, object], kind: Kind, api_version: str, ref: ObjectRef) -> Outcome:
    legacy = kind.struct is metallb.BGPPeer and api_version == LEGACY_PEER
    struct: type[KubeStruct] = metallb.BGPPeerV1Beta1 if legacy else kind.struct
    strict = kind.group in OUR_GROUPS
    unknown = _problems(ref, unknown_fields(raw, struct), Severity.ERROR if strict else Severity.WARNING)
    deprecated = _problems(ref, (_DEPRECATED,), Severity.WARNING) if legacy else ()
    found = (*_problems(ref, _metadata_faults(raw, kind)), *deprecated, *unknown)
    try:
        obj = msgspec.convert(raw, struct, dec_hook=decode_secret)
    except msgspec.ValidationError as error:
        return Refused(ref, (*found, *_problems(ref, _wrong_types(raw, struct, error))))
    return _judged(_placed(_current(obj) if isinstance(obj, metallb.BGPPeerV1Beta1) else obj, ref), ref, found)


def _judged(obj: KubeObject, ref: ObjectRef, found: tuple[Problem, ...]) -> ParsedObject | Refused:
    """What remains to be said of an object of the right types: rules that it breaks."""
    found = (*found, *_problems(ref, broken_rules(obj)))
    usable = all(problem.severity is Severity.WARNING for problem in found)
    return ParsedObject(obj, found) if usable else Refused(ref, found, obj)


def _placed(obj: KubeStruct, ref: ObjectRef) -> KubeObject:
    """The object with its namespace filled in; what `struct` of a Kind made is a KubeObject."""
    assert isinstance(obj, KubeObject)
    if obj.metadata.namespace == ref.namespace:
        return obj
    metadata = msgspec.structs.replace(obj.metadata, namespace=ref.namespace)
    return msgspec.structs.replace(obj, metadata=metadata)


# --- which kind -------------------------------------------------------------------------------------------------


def _find_kind(raw: Raw) -> Kind | Fault | None:
    """Return the kind, what is wrong with its name or version, or None for a kind that is not ours to read."""
    api_version, name = raw.get("apiVersion"), raw.get("kind")
    if not (isinstance(name, str) and name):
        return Fault("kind", "is missing; say what the object is, for example Service")
    if not (isinstance(api_version, str) and api_version):
        return Fault("apiVersion", f"is missing; {_expected_version(BY_NAME.get(name))}")
    group, _, version = api_version.rpartition("/")
    kind = BY_NAME.get(name)
    if kind is None:
        return _unknown_kind(name, group) if group in OUR_GROUPS else None
    if group == kind.group:
        return kind if version in kind.versions else Fault("apiVersion", _wrong_version(api_version, kind))
    # Other projects have kinds of the same name (Knative's Service, Calico's BGPPeer) in groups of their own.
    foreign = "." in group and not get_close_matches(group, [kind.group], cutoff=0.75)
    return None if foreign else Fault("apiVersion", _wrong_version(api_version, kind))


def _unknown_kind(name: str, group: str) -> Fault:
    known = [kind.kind for kind in BY_NAME.values() if kind.group in OUR_GROUPS]
    nearest = get_close_matches(name, known, n=1)
    remedy = f'did you mean "{nearest[0]}"?' if nearest else f"known are {', '.join(sorted(known))}"
    return Fault("kind", f"{group} has no kind {name}; {remedy}")


def _wrong_version(api_version: str, kind: Kind) -> str:
    return f'"{api_version}" has no kind {kind.kind} that can be read; {_expected_version(kind)}'


def _expected_version(kind: Kind | None) -> str:
    return f"write apiVersion: {kind.api_version}" if kind is not None else "write the kind's group and version"


# --- name and namespace -----------------------------------------------------------------------------------------


def _rough_ref(raw: Raw, namespace: str) -> ObjectRef:
    """The reference of an object that may be wrong elsewhere, with the namespace that it will have."""
    metadata = raw.get("metadata")
    fields = metadata if isinstance(metadata, dict) else {}
    kind_name, name, own = raw.get("kind"), fields.get("name"), fields.get("namespace")
    kind = BY_NAME.get(kind_name) if isinstance(kind_name, str) else None
    group = kind.group if kind is not None else str(raw.get("apiVersion")).rpartition("/")[0]
    default = namespace if group in OUR_GROUPS else DEFAULT_NAMESPACE
    place = own if isinstance(own, str) and own else default
    return ObjectRef(
        kind=kind_name if isinstance(kind_name, str) else "",
        namespace=place if kind is None or kind.namespaced else "",
        name=name if isinstance(name, str) else "",
    )


def _metadata_faults(raw: Raw, kind: Kind) -> Iterator[Fault]:
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        return  # the missing or wrong metadata is a type fault
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if name is None:
        yield Fault("metadata.name", "is required; give the object a name")
    elif isinstance(name, str):
        yield from _name_faults("metadata.name", name, label=kind.kind in _LABEL_KINDS)
    if isinstance(namespace, str) and namespace:
        yield from _name_faults("metadata.namespace", namespace, label=True)


def _name_faults(field: str, name: str, *, label: bool) -> Iterator[Fault]:
    """RFC 1123 names: one label of at most 63 octets, or labels joined by dots with at most 253 in all."""
    labels = [name] if label else name.split(".")
    if len(name) > (63 if label else 253) or not all(DNS_LABEL.fullmatch(part) for part in labels):
        marks = '"-"' if label else '"-" and "."'
        yield Fault(
            field,
            f'"{name[:80]}" is no valid name; use lower-case letters, digits, {marks}, a letter or digit at both ends',
        )


# --- BGPPeer v1beta1 --------------------------------------------------------------------------------------------


def _current(peer: metallb.BGPPeerV1Beta1) -> metallb.BGPPeer:
    legacy = peer.spec
    spec = metallb.BGPPeerSpec(
        my_asn=legacy.my_asn,
        peer_asn=legacy.peer_asn,
        peer_address=legacy.peer_address,
        source_address=legacy.source_address,
        peer_port=legacy.peer_port or DEFAULT_BGP_PORT,
        hold_time=legacy.hold_time,
        keepalive_time=legacy.keepalive_time,
        router_id=legacy.router_id,
        node_selectors=tuple(map(_current_selector, legacy.node_selectors)),
        password=legacy.password,
        bfd_profile=legacy.bfd_profile,
        ebgp_multi_hop=legacy.ebgp_multi_hop,
    )
    return metallb.BGPPeer(metadata=peer.metadata, spec=spec, status=peer.status)


def _current_selector(legacy: metallb.LegacyNodeSelector) -> metallb.LabelSelector:
    expressions = tuple(
        metallb.LabelSelectorRequirement(key=part.key, operator=part.operator, values=part.values)
        for part in legacy.match_expressions
    )
    return metallb.LabelSelector(match_labels=legacy.match_labels, match_expressions=expressions)


# --- outcomes ---------------------------------------------------------------------------------------------------


def _problems(ref: ObjectRef, faults: Iterable[Fault], severity: Severity = Severity.ERROR) -> tuple[Problem, ...]:
    return tuple(Problem(ref=ref, field=fault.field, message=fault.message, severity=severity) for fault in faults)


def _refuse(ref: ObjectRef, fault: Fault) -> Refused:
    return Refused(ref, _problems(ref, (fault,)))
