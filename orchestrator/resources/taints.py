"""Which taints of a Node ask for its drain: the list that a person gives.

A cordon (`spec.unschedulable`, and the taint that says the same) never does: people keep nodes cordoned that announce,
and a rule that took it for a drain cost them their routes (MetalLB 0.14.9).
"""

from dataclasses import dataclass

from orchestrator.errors import InvalidConfig

CORDON = "node.kubernetes.io/unschedulable"
DEFAULT_TAINTS = "node.kubernetes.io/out-of-service,ToBeDeletedByClusterAutoscaler,karpenter.sh/disrupted"
"""Each is put on a node that is about to go, or has gone, and is not coming back as it is."""
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaintRule:
    """Taints of this key and, where given, of this value and effect."""

    key: str
    value: str | None = None
    effect: str = ""

    def admits(self, key: str, value: str, effect: str) -> bool:
        return key == self.key and self.value in {None, value} and self.effect in {"", effect}


def parse_taints(text: str) -> tuple[TaintRule, ...]:
    """Read `key[=value][:effect],...`; empty: none. Raises InvalidConfig."""
    return tuple(_rule(word.strip()) for word in text.split(",") if word.strip())


def _rule(word: str) -> TaintRule:
    rest, colon, effect = word.partition(":")
    key, equals, value = rest.partition("=")
    if not key or (colon and effect not in EFFECTS):
        raise InvalidConfig(f'"{word}" is no taint: write key[=value][:effect] with an effect of {", ".join(EFFECTS)}')
    if key == CORDON:
        raise InvalidConfig(f"{key} is what a cordon sets, and a cordon is no drain; annotate the node instead")
    return TaintRule(key=key, value=value if equals else None, effect=effect)
