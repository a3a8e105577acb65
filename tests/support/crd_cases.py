"""Objects for the API server, each with the verdict that contract 01 gives: made from its tables, and by hand.

`because` says why our own parser decides otherwise than the API server; it is empty where both must agree.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orchestrator.resources.extensions import PeerSession, SpeakerInterface, SpeakerStateSpec
from tests.support.contract_crds import FIELDS, Row, rows_of_table

Raw = dict[str, Any]

NAMESPACE = "metallb-system"
PEER = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"}
BASE: Mapping[str, Raw] = {
    "IPAddressPool": {"addresses": ["192.0.2.0/24"]},
    "BGPPeer": PEER,
    "SpeakerState": {"node": "a"},
    "Failover": {"address": "192.0.2.10", "to": "a"},
    "AddressReservation": {"addresses": ["192.0.2.10"], "service": {"namespace": "shop", "name": "web"}},
    "AddressQuota": {"ipv4": 2},
}
OURS = frozenset({"SpeakerState", "Failover", "AddressReservation", "AddressQuota"})
"""Kinds of ferrule.io."""
"""A spec that is accepted, where an empty one is not."""
ITEMS: Mapping[str, Raw] = {
    "preferredNodeSelectors": {"weight": 1, "preference": {}},
    "matchExpressions": {"key": "a", "operator": "In", "values": ["b"]},
}
"""An accepted item of a list of objects, where an empty one is not."""
RIGHT: Mapping[str, object] = {"holdTime": "90s", "keepaliveTime": "30s", "connectTime": "10s", "asPathPrepend": 3}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]}
RIGHT_OF_TYPE: Mapping[str, object] = {
    "string": "text",
    "boolean": True,
    "integer": 12,
    "object": {},
    "LabelSelector": SELECTOR,
}
WRONG_OF_TYPE: Mapping[str, object] = {
    "string": 5,
    "boolean": "true",
    "integer": "7",
    "object": "text",
    "LabelSelector": ["a"],
}

NO_SPEC = "the schema does not require the spec, but it does require a field in it"
GO_TYPE = "MetalLB's Go type does not hold this, so its programs could not read such an object"
EMPTY_TEXT = "the empty text is an absent field to Kubernetes' own types, and to us"
WHOLE_FLOAT = "JSON has one kind of number; YAML's 1.0 is no whole number to us"
OTHER_FORM = "only the usual form of an IPv6 address is compared with statuses; no pattern can tell it"
BEYOND_MILLISECONDS = "CEL counts in milliseconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An object and whether the API server takes it; `says` is part of its refusal, `filled` what it adds to the spec."""

    name: str
    obj: Raw
    accepted: bool
    says: str = ""
    because: str = ""
    filled: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.obj['kind']}: {self.name}"


def object_of(kind: str, spec: object, version: str = "", **other: object) -> Raw:
    """An object of metallb.io or ferrule.io; a spec of None is left out."""
    named = f"ferrule.io/{version or 'v1alpha1'}" if kind in OURS else f"metallb.io/{version or _current(kind)}"
    parts = {} if spec is None else {"spec": spec}
    return {"apiVersion": named, "kind": kind, "metadata": {"name": "x", "namespace": NAMESPACE}, **parts, **other}


def _current(kind: str) -> str:
    return "v1beta2" if kind == "BGPPeer" else "v1beta1"


# --- from the tables --------------------------------------------------------------------------------------------


def cases_of_tables() -> Iterator[Case]:
    """Yield what follows from each row of each table: present, absent, null, of the wrong type, at and past limits."""
    for table, text in FIELDS.items():
        kind, version = table.split()
        for path, row in rows_of_table(text).items():
            if path.startswith("spec."):
                for name, value, accepted, because in _values(path, row):
                    spec = _with(deepcopy(BASE.get(kind, {})), path, value)
                    named = f"{version} {path} {name}"
                    yield Case(name=named, obj=object_of(kind, spec, version), accepted=accepted, because=because)


class Absent:
    """In place of a value: the field is not there."""


ABSENT = Absent()


def _values(path: str, row: Row) -> Iterator[tuple[str, object, bool, str]]:
    name = path.rpartition(".")[2]
    kind, listed = row.type.partition("/")[0].removeprefix("[]").removeprefix("{}"), row.type[:2] in {"[]", "{}"}
    right = RIGHT.get(name) or ITEMS.get(name) or RIGHT_OF_TYPE[kind]
    right = row.values.split("|")[0] if row.values else right
    yield "present", _wrapped(row, right), True, ""
    yield "of the wrong type", _wrapped(row, WRONG_OF_TYPE[kind]), False, ""
    yield "absent", ABSENT, not row.required, ""
    yield "null", None, not row.required, ""
    if listed:
        yield "neither list nor mapping", right if kind == "string" else "text", False, ""
    for value in row.values.split("|") if row.values else ():
        yield f"= {value}", value, True, ""
    if row.values:
        yield "= other", "other", False, ""
    if row.limits and not listed:
        low, _, high = row.limits.partition("..")
        for limit, outside in ((low, -1), (high, 1)):
            if limit:
                yield f"= {limit}", int(limit), True, ""
                yield f"= {int(limit) + outside}", int(limit) + outside, False, ""


def _wrapped(row: Row, value: object) -> object:
    match row.type[:2]:
        case "[]":
            return [value]
        case "{}":
            return {"k": value}
        case _:
            return value


def _with(spec: Raw, path: str, value: object) -> Raw:
    """The spec with the value at the path; lists on the way get one item."""
    place: Raw = spec
    *outer, last = path.split(".")[1:]
    for part in outer:
        name = part.removesuffix("[]")
        inner = place.setdefault(name, [deepcopy(ITEMS.get(name, {}))] if part.endswith("[]") else {})
        place = inner[0] if part.endswith("[]") else inner
    if isinstance(value, Absent):
        place.pop(last, None)
    else:
        place[last] = value
    return spec


# --- by hand ----------------------------------------------------------------------------------------------------


def cases_by_hand() -> Iterator[Case]:
    """Yield rules, unknown fields, our own kinds, and where the schema is known to be odd."""
    yield from _specs()
    yield from _unknown_fields()
    yield from _connect_times()
    yield from _aggregation()
    yield from _oddities()
    yield from _ours()
    yield from _names()


def cases_of_defaults() -> Iterator[Case]:
    """Yield the least of each kind, with what the API server adds."""
    pool = {"autoAssign": True, "avoidBuggyIPs": False}
    lengths = {"aggregationLength": 32, "aggregationLengthV6": 128}
    peer = {"peerPort": 179, "disableMP": False, "dualStackAddressFamily": False}
    for kind, filled in (("IPAddressPool", pool), ("BGPAdvertisement", lengths), ("BGPPeer", peer)):
        yield Case(name="defaults", obj=object_of(kind, BASE.get(kind, {})), accepted=True, filled=filled)
    for kind in ("L2Advertisement", "BFDProfile", "Community", *sorted(OURS)):
        yield Case(name="no defaults", obj=object_of(kind, BASE.get(kind, {})), accepted=True)
    # The default is that of the stored version.
    old = object_of("BGPPeer", PEER, "v1beta1")
    yield Case(name="default of v1beta1", obj=old, accepted=True, filled={"peerPort": 179})


def _specs() -> Iterator[Case]:
    for kind in ("L2Advertisement", "BGPAdvertisement", "BFDProfile", "Community"):
        yield Case(name="without spec", obj=object_of(kind, None), accepted=True)
    for kind in ("IPAddressPool", *sorted(OURS)):
        yield Case(name="without spec", obj=object_of(kind, None), accepted=False, says="spec: Required value")
    for version in ("v1beta1", "v1beta2"):
        obj = object_of("BGPPeer", None, version)
        yield Case(name=f"{version} without spec", obj=obj, accepted=True, because=NO_SPEC)


def _unknown_fields() -> Iterator[Case]:
    for kind in ("IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "BFDProfile", "Community"):
        obj = object_of(kind, {**BASE.get(kind, {}), "adresses": []})
        yield Case(name="unknown field", obj=obj, accepted=False, says='unknown field "spec.adresses"')
    for kind in sorted(OURS):
        obj = object_of(kind, {**BASE[kind], "adress": ""})
        yield Case(name="unknown field", obj=obj, accepted=False, says='unknown field "spec.adress"')
    deep: Raw = {"nodeSelectors": [{"matchLabel": {}}]}
    yield Case(
        name="unknown field in a selector",
        obj=object_of("L2Advertisement", deep),
        accepted=False,
        says='unknown field "spec.nodeSelectors[0].matchLabel"',
    )
    yield Case(
        name="unknown field beside spec",
        obj=object_of("Community", {}, specs={}),
        accepted=False,
        says='unknown field "specs"',
    )
    newer = {**PEER, "vrf": "red"}
    obj = object_of("BGPPeer", newer, "v1beta1")
    yield Case(name="field of v1beta2 in v1beta1", obj=obj, accepted=False, says='unknown field "spec.vrf"')


def _connect_times() -> Iterator[Case]:
    between, whole = "connect time should be between 1 seconds to 65535", "a whole number of seconds"
    for text, says in (
        ("1s", ""),
        ("65535s", ""),
        ("1m30s", ""),
        ("1000ms", ""),
        ("0s", between),
        ("-1s", between),
        ("65536s", between),
        ("1500ms", whole),
        ("soon", "type conversion error"),
    ):
        obj = object_of("BGPPeer", {**PEER, "connectTime": text})
        yield Case(name=f"connectTime {text}", obj=obj, accepted=not says, says=says)
    obj = object_of("BGPPeer", {**PEER, "connectTime": "1000000us1ns"})
    yield Case(name="connectTime with nanoseconds", obj=obj, accepted=True, because=BEYOND_MILLISECONDS)


def _aggregation() -> Iterator[Case]:
    chosen, says = {"serviceSelectors": [SELECTOR]}, "serviceSelectors and aggregationLength are mutually exclusive"
    for lengths, accepted in (
        ({}, True),
        ({"aggregationLength": 32, "aggregationLengthV6": 128}, True),
        ({"aggregationLength": 31}, False),
        ({"aggregationLengthV6": 127}, False),
        ({"aggregationLength": 24, "aggregationLengthV6": 64}, False),
    ):
        obj = object_of("BGPAdvertisement", {**chosen, **lengths})
        yield Case(name=f"selectors with {lengths}", obj=obj, accepted=accepted, says="" if accepted else says)
    for name, selectors in (("no", list[object]()), ("null", None)):
        obj = object_of("BGPAdvertisement", {"serviceSelectors": selectors, "aggregationLength": 24})
        yield Case(name=f"aggregation with {name} selectors", obj=obj, accepted=True)


def _oddities() -> Iterator[Case]:
    """What a schema cannot say, or MetalLB's does not."""
    yield Case(name="no addresses", obj=object_of("IPAddressPool", {"addresses": []}), accepted=True)
    yield Case(
        name="lengths past their end", obj=object_of("BGPAdvertisement", {"aggregationLength": 33}), accepted=True
    )
    yield Case(name="localPref of 32 bits", obj=object_of("BGPAdvertisement", {"localPref": 2**32 - 1}), accepted=True)
    for number in (-1, 2**32):
        obj = object_of("BGPAdvertisement", {"localPref": number})
        yield Case(name=f"localPref {number}", obj=obj, accepted=True, because=GO_TYPE)
    whole = object_of("BGPAdvertisement", {"localPref": 1.0})
    yield Case(name="localPref 1.0", obj=whole, accepted=True, because=WHOLE_FLOAT)
    yield Case(name="localPref 1.5", obj=object_of("BGPAdvertisement", {"localPref": 1.5}), accepted=False)
    for name in ("holdTime", "keepaliveTime"):
        obj = object_of("BGPPeer", {**PEER, name: "soon"})
        yield Case(name=f"{name} soon", obj=obj, accepted=True, because=GO_TYPE)
    empty = object_of("BGPPeer", {**PEER, "dynamicASN": ""})
    yield Case(name="empty dynamicASN", obj=empty, accepted=False, because=EMPTY_TEXT)
    operator = object_of("L2Advertisement", {"nodeSelectors": [{"matchExpressions": [{"key": "a", "operator": "Is"}]}]})
    yield Case(name="unknown operator", obj=operator, accepted=True)
    legacy = {"nodeSelectors": [{"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}]}
    yield Case(
        name="legacy expression of no values", obj=object_of("BGPPeer", {**PEER, **legacy}, "v1beta1"), accepted=False
    )


def _ours() -> Iterator[Case]:
    interface = {"name": "eth0", "mac": "02:00:00:00:00:01", "carrier": True, "prefixes": ["192.0.2.1/24"]}
    conflict = {"address": "192.0.2.10", "mac": "02:00:00:00:00:02", "interface": "eth0", "action": "yielded"}
    full = {
        "node": "a",
        "instance": "7",
        "version": "1",
        "meshAddresses": ["192.0.2.1"],
        "interfaces": [interface],
        "draining": False,
        "announcedAddresses": 1,
        "announcedPrefixes": 2,
        "weights": "coarse",
        "conflicts": [conflict],
    }
    yield Case(name="full", obj=object_of("SpeakerState", full), accepted=True)
    session = PeerSession(peer="tor", neighbor="192.0.2.254")
    for name, written in (
        ("first words", SpeakerStateSpec(node="a")),
        (
            "defaults of all parts",
            SpeakerStateSpec(node="a", sessions=(session,), interfaces=(SpeakerInterface(name="e"),)),
        ),
    ):
        yield Case(name=name, obj=object_of("SpeakerState", msgspec.to_builtins(written)), accepted=True)
    wrong = {"node": "a", "conflicts": [{**conflict, "action": "attacked"}]}
    yield Case(name="unknown action", obj=object_of("SpeakerState", wrong), accepted=False, says="conflicts[0].action")
    yield Case(name="nobody's", obj=object_of("SpeakerState", {"draining": True}), accepted=False, says="spec.node")
    at, form, says = {"address": "192.0.2.10"}, "spec.address", "says nothing without to or avoid"
    for spec, refusal, because in (
        ({**at, "to": "a", "avoid": ["b"]}, "", ""),
        ({**at, "avoid": ["b"]}, "", ""),
        ({"address": "2001:db8::1", "to": "a"}, "", ""),
        ({"address": "::", "to": "a"}, "", ""),
        ({"address": "web", "to": "a"}, form, ""),
        ({"address": "192.0.2.10/32", "to": "a"}, form, ""),
        ({"address": "192.0.2.256", "to": "a"}, form, ""),
        ({"address": "192.0.2.010", "to": "a"}, form, ""),
        ({"address": "2001:DB8::1", "to": "a"}, form, ""),
        ({"address": "fe80::1%eth0", "to": "a"}, form, ""),
        ({"address": "2001:db8:0::1", "to": "a"}, "", OTHER_FORM),
        (at, says, ""),
        ({**at, "to": "", "avoid": []}, says, ""),
        ({**at, "to": "a", "avoid": ["b", "a"]}, "the node in to is in avoid", ""),
        ({"to": "a"}, "spec.address: Required value", ""),
    ):
        yield Case(name=str(spec), obj=object_of("Failover", spec), accepted=not refusal, says=refusal, because=because)


def _names() -> Iterator[Case]:
    for name, accepted in (("a.b-c.d", True), ("A", False), ("a_b", False), ("-a", False), ("a" * 254, False)):
        obj = object_of("Community", {})
        obj["metadata"]["name"] = name
        yield Case(name=f"name {name[:9]}", obj=obj, accepted=accepted, says="" if accepted else "metadata.name")
