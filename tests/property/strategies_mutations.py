"""Good objects that fit together, and everything that may be done wrong to one of them."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]
Path = tuple[str | int, ...]


def raw(kind: str, name: str, spec: Raw, **metadata: Any) -> Raw:
    fields = {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata}
    group = "v1beta2" if kind == "BGPPeer" else "v1beta1"
    return {"apiVersion": f"metallb.io/{group}", "kind": kind, "metadata": fields, "spec": spec}


RACK = {"matchLabels": {"rack": "1"}}
SOUND = (
    raw("IPAddressPool", "lan", {"addresses": ["192.0.2.0/25", "192.0.2.200-192.0.2.210"]}, labels={"zone": "a"}),
    raw("IPAddressPool", "six", {"addresses": ["2001:db8::/64"], "avoidBuggyIPs": True}),
    raw(
        "IPAddressPool",
        "team",
        {
            "addresses": ["198.51.100.0/24"],
            "serviceAllocation": {"priority": 5, "namespaces": ["blue"], "serviceSelectors": [RACK]},
        },
    ),
    raw("L2Advertisement", "all", {}),
    raw(
        "L2Advertisement",
        "some",
        {
            "ipAddressPools": ["lan"],
            "nodeSelectors": [RACK],
            "interfaces": ["eth0"],
            "preferredNodeSelectors": [{"weight": 10, "preference": RACK}],
        },
    ),
    raw("BGPAdvertisement", "wide", {"ipAddressPools": ["team"], "aggregationLength": 26, "communities": ["red"]}),
    raw(
        "BGPAdvertisement",
        "each",
        {
            "localPref": 100,
            "med": 5,
            "asPathPrepend": 2,
            "weight": "endpoints",
            "communities": ["no-export"],
            "ipAddressPools": ["lan", "six"],
            "peers": ["tor"],
        },
    ),
    raw("BGPAdvertisement", "zone", {"ipAddressPoolSelectors": [{"matchLabels": {"zone": "b"}}], "localPref": 7}),
    raw(
        "BGPPeer",
        "tor",
        {"myASN": 64512, "peerASN": 64513, "peerAddress": "10.0.0.1", "holdTime": "9s", "bfdProfile": "fast"},
    ),
    raw("BGPPeer", "rack", {"myASN": 64512, "peerASN": 64514, "peerAddress": "10.0.0.2", "nodeSelectors": [RACK]}),
    raw("BFDProfile", "fast", {"receiveInterval": 100, "transmitInterval": 100}),
    raw("Community", "ours", {"communities": [{"name": "red", "value": "65000:1"}]}),
    raw("Community", "theirs", {"communities": [{"name": "blue", "value": "65000:2"}]}),
)
"""No two conflict, and nothing that one names is missing."""

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**12,
    1.5,
    "",
    "x",
    "a b",
    "line\nneighbor 10.0.0.9 remote-as 1",
    "\x00",
    "192.0.2.0/24",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.1",
    "65000:1",
    "red",
    [],
    ["lan", "lan"],
    [5],
    [RACK, RACK],
    [{"matchExpressions": [{"key": "rack", "operator": "Is", "values": ["1", "1"]}]}],
    {},
    {"a": {"b": []}},
)


def places(value: object, path: Path = ()) -> Iterator[Path]:
    """Every place below a value, itself first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def mutated_specs(draw: st.DrawFn, obj: Raw) -> Raw:
    """The object with one to three things done to its spec."""
    result = copy.deepcopy(obj)
    for _ in range(draw(st.integers(1, 3))):
        _mutate(draw, result)
    return result


def _mutate(draw: st.DrawFn, obj: Raw) -> None:
    *above, last = ("spec", *draw(st.sampled_from(sorted(places(obj["spec"]), key=str))))
    parent: Any = obj
    for key in above:
        parent = parent[key]
    match draw(st.sampled_from(["replace", "remove", "double", "unknown", "borrow"])):
        case "replace":
            parent[last] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        case "remove" if above:
            parent.pop(last)
        case "double" if isinstance(parent[last], list):
            parent[last] = parent[last] * 2
        case "unknown" if isinstance(parent[last], dict):
            parent[last]["unknownField"] = 1
        case _:
            alike = [other for other in SOUND if other["kind"] == obj["kind"]]
            obj["spec"] = copy.deepcopy(draw(st.sampled_from(alike))["spec"])
    if not isinstance(obj["spec"], dict):
        obj["spec"] = {"addresses": obj["spec"]}


BAD_NAMES = ("", "UPPER", "a\nb", "a b", "-", "a" * 254, "\x00", "x/y", "ä", None, 5)
names = st.sampled_from(BAD_NAMES)
