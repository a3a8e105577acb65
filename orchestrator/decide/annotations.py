"""The annotations of a Service that we read and write (contract 2.1).

Both prefixes are honored; the new one wins by its presence, even if its value is empty.
"""

from orchestrator.resources.core import Service

PREFIX = "metallb.io/"
DEPRECATED_PREFIX = "metallb.universe.tf/"

ADDRESS_POOL = "address-pool"
LOAD_BALANCER_IPS = "loadBalancerIPs"
ALLOW_SHARED_IP = "allow-shared-ip"
ALLOCATED_FROM_POOL = "metallb.io/ip-allocated-from-pool"


def annotation(service: Service, suffix: str) -> str | None:
    """Return the value under the new prefix, else under the deprecated one, else None."""
    annotations = service.metadata.annotations
    return annotations.get(PREFIX + suffix, annotations.get(DEPRECATED_PREFIX + suffix))


def deprecated_keys(service: Service) -> tuple[str, ...]:
    """Return the annotations that should be written with the new prefix, sorted."""
    return tuple(sorted(key for key in service.metadata.annotations if key.startswith("metallb.universe.tf")))
