import msgspec
import pytest

from orchestrator.config.model import Config, Resolved
from orchestrator.decide.accepted import ACCEPTED, InUse, accepted, in_use
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from tests.support.objects import bgp, config, l2, peer, pool, ref

POOL = ref("IPAddressPool", "lan")
WRONG = Problem(ref=POOL, field="spec.addresses[0]", message="is no range; write one")
ALSO = Problem(ref=POOL, field="", message="overlaps pool wan; change one")
WARNING = Problem(ref=POOL, field="spec.x", message="is unknown; remove it", severity=Severity.WARNING)


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ((), ("True", "Accepted", "")),
        ((WARNING,), ("True", "AcceptedWithWarnings", "spec.x: is unknown; remove it")),
        (
            (WRONG, WARNING, ALSO),
            (
                "False",
                "Invalid",
                (
                    "overlaps pool wan; change one\nspec.addresses[0]: is no range; write one\n"
                    "warning: spec.x: is unknown; remove it\nits last good version stays in use"
                ),
            ),
        ),
    ],
)
def test_condition_tells_every_problem_in_order(problems: tuple[Problem, ...], said: tuple[str, str, str]) -> None:
    condition = accepted(problems, InUse.LAST_GOOD, 3)
    assert (condition.status, condition.reason, condition.message) == said
    assert (condition.type, condition.observed_generation) == (ACCEPTED, 3)
    assert accepted(problems[::-1], InUse.LAST_GOOD, 3) == condition


def test_unknown_generation_is_left_out() -> None:
    assert accepted((), InUse.NOTHING, 0).observed_generation is msgspec.UNSET


@pytest.mark.parametrize(
    ("about", "remembered", "instead"),
    [
        (POOL, True, InUse.LAST_GOOD),
        (POOL, False, InUse.NOTHING),
        (ref("IPAddressPool", "lost"), True, InUse.NOTHING),
        (ref("L2Advertisement", "l"), True, InUse.LAST_GOOD),
        (ref("L2Advertisement", "other"), True, InUse.NOTHING),
        (ref("BGPAdvertisement", "b"), True, InUse.LAST_GOOD),
        (ref("BGPPeer", "r"), True, InUse.LAST_GOOD),
        (ref("BGPPeer", "held"), True, InUse.SESSION),
        (ref("BFDProfile", "fast"), True, InUse.NOTHING),
        (ref("AddressReservation", "kept"), True, InUse.NOTHING),
        (ref("AddressQuota", "few"), True, InUse.NOTHING),
        (ref("Community", "names"), True, InUse.LAST_GOOD),
    ],
)
def test_what_stays_in_use_is_what_the_configuration_has(about: ObjectRef, remembered: bool, instead: InUse) -> None:
    known = config(
        nodes=["a"],
        pools=[pool("lan", "10.0.0.0/24", l2_advertisements=(l2("l", "a"),), bgp_advertisements=(bgp("b", "a"),))],
        peers=[peer("r", "a")],
    )
    held = Config(pools=known.pools, peers=known.peers, nodes=known.nodes, held_peers=frozenset({"held"}))
    assert in_use(about, Resolved(config=held, last_good={about: b""} if remembered else {})) is instead
