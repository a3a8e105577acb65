"""A Service that passed the common gate, with what both protocols ask about it."""

from dataclasses import dataclass

from orchestrator.config.model import Pool
from orchestrator.decide.eligibility import Serving
from orchestrator.decide.node_plan import Decline, DeclineReason, Protocol
from orchestrator.net.addresses import IpAddress
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.meta import ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """`addresses` in the order of the status, all of one pool; `slices` are what `serving` sums up."""

    service: Service
    addresses: tuple[IpAddress, ...]
    pool: Pool
    serving: Serving
    slices: tuple[EndpointSlice, ...] = ()

    @property
    def key(self) -> ObjectKey:
        return self.service.metadata.key

    def decline(self, protocol: Protocol, reason: DeclineReason, detail: str) -> Decline:
        """Return that this Service is not announced over `protocol`, because."""
        return Decline(service=self.key, protocol=protocol, reason=reason, detail=detail)
