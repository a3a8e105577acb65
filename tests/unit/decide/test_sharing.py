import pytest

from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import RefusalReason
from orchestrator.decide.sharing import sharing_refusal
from orchestrator.decide.space import Tenancy
from tests.support.objects import ips, key, pool, pools

ADDRESS = ips("10.0.0.1")[0]


def tenancy(sharing: str = "", backend: str = "", *ports: int, foreign: bool = False) -> Tenancy:
    named = frozenset(("TCP", port) for port in ports)
    return Tenancy(sharing_key=sharing, backend_key=backend, ports=named, foreign=foreign)


def ledger(*users: Tenancy) -> Ledger:
    """The address is used by a, b, c, ... on these terms."""
    result = Ledger()
    result.set_pools(pools(pool("p", "10.0.0.0/24")))
    for name, each in zip("abcdefg", users, strict=False):
        result.hold(Assignment(service=key(name), pool="p", addresses=(ADDRESS,), tenancy=each))
    return result


@pytest.mark.parametrize(
    ("mine", "other", "expected"),
    [
        (tenancy(), tenancy(), "shares with nobody: take another address, or give both"),
        (tenancy("k"), tenancy(), 'shares with nobody: give it metallb.io/allow-shared-ip "k", or give both'),
        (tenancy(), tenancy("k"), 'has metallb.io/allow-shared-ip "k", this one has none: give both the same'),
        (tenancy("k"), tenancy("l"), 'has metallb.io/allow-shared-ip "l", this one has "k": give both the same'),
        (
            tenancy("k"),
            tenancy("k", "n/app=x"),
            "has externalTrafficPolicy Local, this one Cluster: give both the same",
        ),
        (
            tenancy("k", "n/app=x"),
            tenancy("k"),
            "has externalTrafficPolicy Cluster, this one Local: give both the same",
        ),
        (
            tenancy("k", "n/app=x"),
            tenancy("k", "n/app=y"),
            'selects "app=y", this one "app=x", and both have externalTrafficPolicy Local: use one selector',
        ),
        (
            tenancy("k", "n/app=x"),
            tenancy("k", "m/app=x"),
            "is of another namespace, and both have externalTrafficPolicy Local: use Cluster for both",
        ),
        (tenancy("k"), tenancy(foreign=True), "is of another loadBalancerClass: take another address"),
    ],
)
def test_other_terms_are_refused_and_the_difference_is_named(mine: Tenancy, other: Tenancy, expected: str) -> None:
    refusal = sharing_refusal(key("new"), mine, ADDRESS, ledger(other))
    assert refusal is not None
    assert refusal.reason is RefusalReason.SHARING_KEY_DIFFERS
    beginning = f'can\'t change sharing key for "default/new", address also in use by default/a; default/a {expected}'
    assert refusal.message.startswith(beginning)


def test_ports_in_use_are_named_for_each_service_that_has_them() -> None:
    target = ledger(tenancy("k", "", 80, 443), tenancy("k", "", 25), tenancy("k", "", 53))
    refusal = sharing_refusal(key("new"), tenancy("k", "", 443, 53, 80), ADDRESS, target)
    assert refusal is not None
    assert refusal.reason is RefusalReason.PORT_IN_USE
    assert refusal.message == (
        'port TCP/53 is already in use on "10.0.0.1"; default/a has TCP/80, TCP/443; default/c has TCP/53; '
        "use other ports or another address"
    )


def test_few_of_many_services_in_the_way_are_explained() -> None:
    target = ledger(*(tenancy("k", "", port) for port in range(5)))
    refusal = sharing_refusal(key("new"), tenancy("l"), ADDRESS, target)
    assert refusal is not None
    assert "default/a,default/b,default/c,default/d,default/e; default/a has" in refusal.message
    assert refusal.message.endswith("; and 2 more")


def test_one_key_one_backend_and_other_ports_share() -> None:
    assert sharing_refusal(key("new"), tenancy("k", "", 80), ADDRESS, ledger(tenancy("k", "", 443))) is None


def test_only_user_may_change_its_terms() -> None:
    assert sharing_refusal(key("a"), tenancy("l", "", 80), ADDRESS, ledger(tenancy("k", "", 80))) is None
