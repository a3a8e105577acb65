from orchestrator.config.advice_basis import Entries, Known, some_of
from orchestrator.config.model import Config
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.advising import speaker
from tests.support.objects import ips, pool


def test_entry_that_holds_an_address_is_found() -> None:
    first, second = pool("a", "192.0.2.0/28", "2001:db8::/64"), pool("b", "192.0.2.32-192.0.2.40")
    entries = Entries((first, second))
    inside, also, between, above, six = ips("192.0.2.0", "192.0.2.40", "192.0.2.16", "192.0.2.41", "2001:db8::1")
    assert entries.holding(inside) == (first, "spec.addresses[0]")
    assert entries.holding(also) == (second, "spec.addresses[0]")
    assert entries.holding(six) == (first, "spec.addresses[1]")
    assert entries.holding(between) is None
    assert entries.holding(above) is None
    assert Entries(()).holding(inside) is None


def test_subnets_are_known_only_if_every_node_told() -> None:
    known = Known(config=Config(), snapshot=ClusterSnapshot(), speakers=[speaker("n1", "192.0.2.4/24")])
    told = known.prefixes_of(["n1"])
    assert told is not None
    assert [str(subnet) for subnet in told["n1"]] == ["192.0.2.0/24"]
    assert known.prefixes_of(["n1", "n2"]) is None
    assert known.prefixes_of([]) is None


def test_long_lists_are_cut() -> None:
    assert some_of(["b", "a"]) == "a, b"
    assert some_of("edcba") == "a, b, c and 2 more"
