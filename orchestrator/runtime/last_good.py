"""The last good specs as a ConfigMap: written by the controller, read by everybody, so that all nodes decide alike.

Keys are `<Kind>.<name>`, values the spec as JSON without passwords. All specs are of our own namespace.
"""

from orchestrator.config.model import LastGood
from orchestrator.resources.core import ConfigMap
from orchestrator.resources.meta import ObjectMeta, ObjectRef

CONFIG_MAP_NAME = "ferrule-last-good"


def to_config_map(last_good: LastGood, namespace: str) -> ConfigMap:
    """Return the ConfigMap that holds `last_good`."""
    return ConfigMap(
        metadata=ObjectMeta(name=CONFIG_MAP_NAME, namespace=namespace),
        data={f"{ref.kind}.{ref.name}": spec.decode() for ref, spec in sorted(last_good.items())},
    )


def from_config_map(config_map: ConfigMap | None) -> LastGood:
    """Return what `to_config_map` put in; empty for None."""
    if config_map is None:
        return {}
    namespace = config_map.metadata.namespace
    split = ((key.partition("."), spec) for key, spec in config_map.data.items())
    return {ObjectRef(kind, namespace, name): spec.encode() for (kind, _, name), spec in split}
