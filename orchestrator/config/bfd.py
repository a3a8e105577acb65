"""BFDProfile -> BfdProfile. The ranges of the numbers are the schema's (contract 1.6), checked while parsing."""

from orchestrator.config.claims import Claims, Knowledge, Subject, gather
from orchestrator.config.findings import Findings
from orchestrator.config.model import BfdProfile
from orchestrator.resources.metallb import BFDProfileSpec


def claims_of(knowledge: Knowledge) -> Claims[BfdProfile]:
    """Gather the profiles; they conflict with nothing."""
    return gather("BFDProfile", BFDProfileSpec, knowledge.snapshot.bfd_profiles, knowledge, _read)


def _read(subject: Subject[BFDProfileSpec], findings: Findings) -> BfdProfile | None:
    if not findings.usable:
        return None
    spec = subject.spec
    return BfdProfile(
        name=subject.ref.name,
        origin=subject.ref,
        receive_interval_ms=spec.receive_interval,
        transmit_interval_ms=spec.transmit_interval,
        detect_multiplier=spec.detect_multiplier,
        echo_interval_ms=spec.echo_interval,
        echo_mode=spec.echo_mode,
        passive_mode=spec.passive_mode,
        minimum_ttl=spec.minimum_ttl,
    )
