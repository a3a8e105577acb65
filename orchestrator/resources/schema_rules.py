"""What the schemas say beyond the types of single fields: CEL rules, merge behavior, required fields, empty parts.

`rules` says the same in Python, for manifests and for objects that were stored before a rule was there. The CEL here
needs no more than the library of Kubernetes 1.25, the first with rules in CRDs: `isIP()` came with 1.31, so an address
is told by format and pattern. Parts of a millisecond escape the rule of whole seconds, as they do MetalLB's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.resources import extensions, metallb
from orchestrator.resources.meta import Condition, KubeStruct

Struct = type[KubeStruct]
Schema = dict[str, object]


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `x-kubernetes-validations`."""

    cel: str
    message: str


IMMUTABLE = "self == oldSelf"
_CONNECT_TIME = (
    Rule(
        "duration(self) >= duration('1s') && duration(self) <= duration('65535s')",
        "connect time should be between 1 seconds to 65535",
    ),
    Rule(
        "duration(self).getMilliseconds() % 1000 == 0",
        "connect time should contain a whole number of seconds",
    ),
)
_OWNED = (Rule(IMMUTABLE, "Value is immutable"),)
_SELECTS = " || ".join(
    f"(has(self.{name}) && size(self.{name}) > 0)" for name in ("namespaces", "namespaceSelectors", "serviceSelectors")
)

FIELD_RULES: Mapping[tuple[Struct, str], tuple[Rule, ...]] = {
    (metallb.BGPPeerSpec, "connectTime"): _CONNECT_TIME,
    (metallb.BGPPeerSpec, "enableGracefulRestart"): (
        Rule(IMMUTABLE, "EnableGracefulRestart cannot be changed after creation"),
    ),
    **{
        (struct, field): _OWNED
        for struct in (metallb.ServiceL2StatusStatus, metallb.ServiceBGPStatusStatus)
        for field in ("node", "serviceName", "serviceNamespace")
    },
}

STRUCT_RULES: Mapping[Struct, tuple[Rule, ...]] = {
    metallb.BGPAdvertisementSpec: (
        Rule(
            "!has(self.serviceSelectors) || size(self.serviceSelectors) == 0"
            " || ((!has(self.aggregationLength) || self.aggregationLength == 32)"
            " && (!has(self.aggregationLengthV6) || self.aggregationLengthV6 == 128))",
            "serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default "
            "aggregationLength (32) and aggregationLengthV6 (128)",
        ),
    ),
    extensions.FailoverSpec: (
        Rule(
            "(has(self.to) && self.to != '') || (has(self.avoid) && size(self.avoid) > 0)",
            "says nothing without to or avoid; name a node, or one to avoid",
        ),
        Rule(
            "!has(self.to) || !has(self.avoid) || !(self.to in self.avoid)",
            "the node in to is in avoid; remove it from one of the two",
        ),
    ),
    extensions.AddressReservationSpec: (
        Rule(
            f"!has(self.service) || !({_SELECTS})",
            "service excludes namespaces, namespaceSelectors and serviceSelectors; remove it or them",
        ),
        Rule(f"has(self.service) || {_SELECTS}", "says not for whom; add service, or namespaces or selectors"),
    ),
    extensions.AddressQuotaSpec: (
        Rule("has(self.ipv4) || has(self.ipv6)", "limits nothing; add ipv4 or ipv6, the most addresses to be held"),
    ),
}

_DNS_LABEL: Schema = {"maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}

FIELD_LIMITS: Mapping[tuple[Struct, str], Schema] = {
    (extensions.FailoverSpec, "address"): {
        "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
        # The formats take leading zeros and upper case.
        "pattern": r"^([0-9a-f:]+|(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3})$",
    },
    # Without bounds the API server takes the rules above for too expensive.
    (extensions.FailoverSpec, "to"): {"maxLength": 253},
    (extensions.FailoverSpec, "avoid"): {"maxItems": 5000},
    (extensions.ServiceReference, "namespace"): _DNS_LABEL,
    (extensions.ServiceReference, "name"): _DNS_LABEL,
    # Coarse: what is in a range, `config` reads. Anything else that it refuses is told while one writes.
    (extensions.AddressReservationSpec, "addresses"): {
        "items": {
            "type": "string",
            "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}, {"format": "cidr"}, {"pattern": "^[^-]+-[^-]+$"}],
        }
    },
}

ATOMIC: frozenset[Struct] = frozenset({metallb.LabelSelector, metallb.SecretReference})
"""Objects that server-side apply replaces as a whole."""

FIELD_MARKS: Mapping[tuple[Struct, str], Schema] = {
    (metallb.LabelSelector, "matchExpressions"): {"x-kubernetes-list-type": "atomic"},
    (metallb.LabelSelectorRequirement, "values"): {"x-kubernetes-list-type": "atomic"},
    **{
        (struct, "conditions"): {"x-kubernetes-list-map-keys": ["type"], "x-kubernetes-list-type": "map"}
        for struct in (
            metallb.ConfigurationStateStatus,
            metallb.IPAddressPoolStatus,
            metallb.AcceptedStatus,
            extensions.AddressReservationStatus,
            extensions.AddressQuotaStatus,
        )
    },
}

REQUIRED: Mapping[Struct, tuple[str, ...]] = {
    metallb.IPAddressPoolStatus: ("assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6"),
    # A peer without a spec is refused by us, as it lacks myASN; the schema lets it through.
    metallb.BGPPeer: (),
    metallb.BGPPeerV1Beta1: (),
    Condition: ("lastTransitionTime", "message", "reason", "status", "type"),
}
"""Where the schema requires other fields than those that the struct has no default for."""

EMPTY_PARTS: Mapping[Struct, str] = {
    metallb.ServiceL2Status: "spec",
    metallb.ServiceBGPStatus: "spec",
}
"""The part of a kind that is an object without fields."""

CONDITION_FIELDS: Mapping[str, Schema] = {
    "type": {
        "maxLength": 316,
        "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
        r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
    },
    "status": {"enum": ["True", "False", "Unknown"]},
    "reason": {
        "maxLength": 1024,
        "minLength": 1,
        "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    },
    "message": {"maxLength": 32768},
    "observedGeneration": {"format": "int64", "minimum": 0},
    "lastTransitionTime": {"format": "date-time"},
}
"""metav1.Condition. Not on the struct: conditions that others write must stay readable."""
