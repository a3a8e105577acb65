from orchestrator.config.bfd import claims_of
from orchestrator.config.claims import Knowledge
from orchestrator.config.model import BfdProfile
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import bfd_object, named, ref


def test_absent_values_are_left_to_the_daemon() -> None:
    profile = bfd_object("fast", receive_interval=100, echo_mode=True, echo_interval=50)
    claims = claims_of(Knowledge(ClusterSnapshot(bfd_profiles=named(profile)), {}))
    assert claims.served[0].variants == (
        BfdProfile(
            name="fast",
            origin=ref("BFDProfile", "fast"),
            receive_interval_ms=100,
            echo_mode=True,
            echo_interval_ms=50,
        ),
    )
