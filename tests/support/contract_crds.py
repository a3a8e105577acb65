"""The tables of contract 01, transcribed by hand, and the same tables read from a CustomResourceDefinition.

One line for each field: path, type and format; `!` after the path means required, `=x` a default, `a..b` limits, `a|b`
the only values, `atomic` and `keyed:type` how server-side apply merges, `rule:` the message of a CEL rule, `ours` what
MetalLB does not have. `LabelSelector` and `Condition` stand for Kubernetes' standard schemas.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ALREADY_SET = "rule:EnableGracefulRestart cannot be changed after creation"
IMMUTABLE = "rule:Value is immutable"
CONNECT_TIME = (
    "rule:connect time should be between 1 seconds to 65535;connect time should contain a whole number of seconds"
)
AGGREGATION = (
    "rule:serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default "
    "aggregationLength (32) and aggregationLengthV6 (128)"
)

FIELDS = {
    "IPAddressPool v1beta1": """
        spec! object
        spec.addresses! []string
        spec.autoAssign boolean =true
        spec.avoidBuggyIPs boolean =false
        spec.serviceAllocation object
        spec.serviceAllocation.priority integer
        spec.serviceAllocation.namespaces []string
        spec.serviceAllocation.namespaceSelectors []LabelSelector
        spec.serviceAllocation.serviceSelectors []LabelSelector
        spec.draining boolean ours
        status object
        status.assignedIPv4! integer/int64
        status.assignedIPv6! integer/int64
        status.availableIPv4! integer/int64
        status.availableIPv6! integer/int64
        status.conditions []Condition keyed:type ours
    """,
    "L2Advertisement v1beta1": """
        spec object
        spec.ipAddressPools []string
        spec.ipAddressPoolSelectors []LabelSelector
        spec.nodeSelectors []LabelSelector
        spec.interfaces []string
        spec.serviceSelectors []LabelSelector
        spec.preferredNodeSelectors []object
        spec.preferredNodeSelectors[].weight! integer/int32 1..100
        spec.preferredNodeSelectors[].preference! LabelSelector
        spec.requireOnLink boolean ours
        spec.spread string even|hash ours
        status object
        status.conditions []Condition keyed:type ours
    """,
    "BGPAdvertisement v1beta1": f"""
        spec object {AGGREGATION}
        spec.aggregationLength integer/int32 =32 1..
        spec.aggregationLengthV6 integer/int32 =128
        spec.localPref integer/int32
        spec.med integer/int64 0..4294967295 ours
        spec.asPathPrepend integer/int32 0..10 ours
        spec.weight string endpoints|equal ours
        spec.communities []string
        spec.ipAddressPools []string
        spec.ipAddressPoolSelectors []LabelSelector
        spec.nodeSelectors []LabelSelector
        spec.peers []string
        spec.serviceSelectors []LabelSelector
        status object
        status.conditions []Condition keyed:type ours
    """,
    "BGPPeer v1beta2": f"""
        spec object
        spec.myASN! integer/int64 0..4294967295
        spec.peerASN integer/int64 0..4294967295
        spec.localASN integer/int64 1..4294967295
        spec.dynamicASN string external|internal
        spec.peerAddress string
        spec.interface string
        spec.sourceAddress string
        spec.peerPort integer =179 1..16384
        spec.holdTime string
        spec.keepaliveTime string
        spec.connectTime string {CONNECT_TIME}
        spec.routerID string
        spec.nodeSelectors []LabelSelector
        spec.password string
        spec.passwordSecret object atomic
        spec.passwordSecret.name string
        spec.passwordSecret.namespace string
        spec.passwordSecret.key string ours
        spec.bfdProfile string
        spec.enableGracefulRestart boolean {ALREADY_SET}
        spec.ebgpMultiHop boolean
        spec.vrf string
        spec.disableMP boolean =false
        spec.dualStackAddressFamily boolean =false
        status object
        status.conditions []Condition keyed:type ours
    """,
    "BGPPeer v1beta1": """
        spec object
        spec.myASN! integer/int64 0..4294967295
        spec.peerASN! integer/int64 0..4294967295
        spec.peerAddress! string
        spec.sourceAddress string
        spec.peerPort integer 0..16384
        spec.holdTime string
        spec.keepaliveTime string
        spec.routerID string
        spec.nodeSelectors []object
        spec.nodeSelectors[].matchLabels {}string
        spec.nodeSelectors[].matchExpressions []object
        spec.nodeSelectors[].matchExpressions[].key! string
        spec.nodeSelectors[].matchExpressions[].operator! string
        spec.nodeSelectors[].matchExpressions[].values! []string 1..
        spec.password string
        spec.bfdProfile string
        spec.ebgpMultiHop boolean
        status object
        status.conditions []Condition keyed:type ours
    """,
    "BFDProfile v1beta1": """
        spec object
        spec.receiveInterval integer/int32 10..60000
        spec.transmitInterval integer/int32 10..60000
        spec.detectMultiplier integer/int32 2..255
        spec.echoInterval integer/int32 10..60000
        spec.echoMode boolean
        spec.passiveMode boolean
        spec.minimumTtl integer/int32 1..254
        status object
        status.conditions []Condition keyed:type ours
    """,
    "Community v1beta1": """
        spec object
        spec.communities []object
        spec.communities[].name string
        spec.communities[].value string
        status object
        status.conditions []Condition keyed:type ours
    """,
    "ServiceL2Status v1beta1": f"""
        spec object
        status object
        status.node string {IMMUTABLE}
        status.serviceName string {IMMUTABLE}
        status.serviceNamespace string {IMMUTABLE}
        status.interfaces []object
        status.interfaces[].name string
    """,
    "ServiceBGPStatus v1beta1": f"""
        spec object
        status object
        status.node string {IMMUTABLE}
        status.serviceName string {IMMUTABLE}
        status.serviceNamespace string {IMMUTABLE}
        status.peers []string
    """,
    "ConfigurationState v1beta1": """
        status object
        status.result string Invalid|Unknown|Valid
        status.errorSummary string
        status.conditions []Condition keyed:type
    """,
}
"""All of metallb.io."""

COLUMNS = {
    "IPAddressPool": """
        Auto Assign, boolean, .spec.autoAssign
        Avoid Buggy IPs, boolean, .spec.avoidBuggyIPs
        Addresses, string, .spec.addresses
    """,
    "L2Advertisement": """
        IPAddressPools, string, .spec.ipAddressPools
        IPAddressPool Selectors, string, .spec.ipAddressPoolSelectors
        Interfaces, string, .spec.interfaces
        Node Selectors, string, .spec.nodeSelectors, 10
    """,
    "BGPAdvertisement": """
        IPAddressPools, string, .spec.ipAddressPools
        IPAddressPool Selectors, string, .spec.ipAddressPoolSelectors
        Peers, string, .spec.peers
        Node Selectors, string, .spec.nodeSelectors, 10
    """,
    "BGPPeer": """
        Address, string, .spec.peerAddress
        ASN, string, .spec.peerASN
        BFD Profile, string, .spec.bfdProfile
        Multi Hops, string, .spec.ebgpMultiHop
    """,
    "BFDProfile": """
        Passive Mode, boolean, .spec.passiveMode
        Transmit Interval, integer, .spec.transmitInterval
        Receive Interval, integer, .spec.receiveInterval
        Multiplier, integer, .spec.detectMultiplier
    """,
    "Community": "",
    "ServiceL2Status": """
        Allocated Node, string, .status.node
        Service Name, string, .status.serviceName
        Service Namespace, string, .status.serviceNamespace
    """,
    "ServiceBGPStatus": """
        Node, string, .status.node
        Service Name, string, .status.serviceName
        Service Namespace, string, .status.serviceNamespace
    """,
    "ConfigurationState": """
        Result, string, .status.result
        ErrorSummary, string, .status.errorSummary
        Age, date, .metadata.creationTimestamp
    """,
}

LABEL_SELECTOR = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matchExpressions": {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"type": "string"},
                    "values": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "atomic"},
                },
            },
        },
    },
    "x-kubernetes-map-type": "atomic",
}
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
CONDITION = {
    "type": "object",
    "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    "properties": {
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "message": {"type": "string", "maxLength": 32768},
        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
        "reason": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "type": {
            "type": "string",
            "maxLength": 316,
            "pattern": rf"^({_LABEL}(\.{_LABEL})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        },
    },
}
STANDARD = {"LabelSelector": LABEL_SELECTOR, "Condition": CONDITION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field as a table has it; texts, so that a difference can be read."""

    type: str
    required: bool = False
    default: str = ""
    limits: str = ""
    values: str = ""
    merge: str = ""
    rules: str = ""
    ours: bool = False


def rows_of_table(table: str) -> dict[str, Row]:
    """Return the rows of one table by path."""
    return dict(_parse(line.strip()) for line in table.strip().splitlines())


def _parse(line: str) -> tuple[str, Row]:
    words, _, rules = line.partition(" rule:")
    path, kind, *marks = words.split()
    found: dict[str, Any] = {"type": kind, "required": path.endswith("!"), "rules": rules}
    for mark in marks:
        if mark == "ours":
            found["ours"] = True
        elif mark.startswith("="):
            found["default"] = mark[1:]
        elif mark == "atomic" or mark.startswith("keyed:"):
            found["merge"] = mark
        else:
            found["limits" if ".." in mark else "values"] = mark
    return path.removesuffix("!"), Row(**found)


def rows_of_schema(schema: dict[str, Any]) -> dict[str, Row]:
    """Return the rows of a version's schema by path, `apiVersion`, `kind` and `metadata` left out."""
    rows = dict(_walk(schema, ""))
    identity = {name: rows.pop(name).type for name in ("apiVersion", "kind", "metadata")}
    assert identity == {"apiVersion": "string", "kind": "string", "metadata": "object"}
    return rows


def _walk(schema: dict[str, Any], path: str) -> Iterator[tuple[str, Row]]:
    for name, inner in schema.get("properties", {}).items():
        place = f"{path}{name}"
        yield place, _row(inner, required=name in schema.get("required", ()))
        item = inner.get("items", inner)
        if _type(item) not in STANDARD:
            yield from _walk(item, f"{place}[]." if item is not inner else f"{place}.")


def _row(schema: dict[str, Any], *, required: bool) -> Row:
    low = schema.get("minimum", schema.get("minItems", ""))
    limits = f"{low}..{schema.get('maximum', schema.get('maxItems', ''))}"
    keys = schema.get("x-kubernetes-list-map-keys")
    default = schema.get("default")
    return Row(
        type=_type(schema),
        required=required,
        default="" if default is None else str(default).lower(),
        limits="" if limits == ".." else limits,
        values="|".join(schema.get("enum", ())),
        merge=f"keyed:{','.join(keys)}" if keys else _merge(schema),
        rules=";".join(rule["message"] for rule in schema.get("x-kubernetes-validations", ())),
        ours=schema.get("description", "").startswith("Ferrule:"),
    )


def _merge(schema: dict[str, Any]) -> str:
    if _type(schema) in STANDARD:
        return ""  # part of the standard
    return str(schema.get("x-kubernetes-map-type") or schema.get("x-kubernetes-list-type") or "")


def _type(schema: dict[str, Any]) -> str:
    for name, standard in STANDARD.items():
        if without_texts(schema) == standard:
            return name
    if "items" in schema:
        return f"[]{_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"{{}}{_type(schema['additionalProperties'])}"
    return "/".join(part for part in (schema["type"], schema.get("format")) if part)


def without_texts(schema: Any) -> Any:
    """Return a schema without its descriptions: those of fields whose name is `description` stay."""
    if isinstance(schema, list):
        return [without_texts(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: inner for name, inner in schema.items() if name != "description"}
    if "properties" in kept:
        parts = {name: without_texts(inner) for name, inner in kept["properties"].items()}
        return {
            **{name: without_texts(inner) for name, inner in kept.items() if name != "properties"},
            "properties": parts,
        }
    return {name: without_texts(inner) for name, inner in kept.items()}
