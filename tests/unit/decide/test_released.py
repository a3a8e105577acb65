from orchestrator.decide.released import MOST_REMEMBERED, Elapsed, Release, Released
from orchestrator.net.addresses import IpAddress
from tests.support.objects import ips, key

X, Y, Z = ips("10.0.0.1", "10.0.0.2", "10.0.0.3")
A, B = key("a"), key("b")


def released(cool_down_s: float = 60.0, sticky_s: float = 0.0, now: float = 1000.0) -> Released:
    result = Released(cool_down_s, sticky_s)
    result.pass_time(now)
    return result


def test_released_address_rests_until_the_cool_down_is_over() -> None:
    target = released()
    target.remember(X, A)
    assert target.pass_time(1059.9) == Elapsed()
    assert target.rests(X)
    assert target.pass_time(1060.0) == Elapsed(forgotten=(X,))
    assert not target.rests(X)
    assert target.former(A) == ()


def test_without_cool_down_nothing_is_remembered() -> None:
    target = released(cool_down_s=0)
    target.remember(X, A)
    assert target.releases == ()


def test_sticky_address_is_kept_for_who_had_it_and_rests_on() -> None:
    target = released(sticky_s=10)
    target.remember(X, A)
    assert target.kept_for(X) == {A}
    assert target.next_change == 1010.0
    assert target.pass_time(1010.0) == Elapsed(no_longer_kept=(X,))
    assert target.kept_for(X) == frozenset()
    assert target.rests(X)
    assert target.next_change is None


def test_sticky_address_is_kept_longer_than_it_rests() -> None:
    target = released(sticky_s=100)
    target.remember(X, A)
    target.pass_time(1099.0)
    assert target.kept_for(X) == {A}
    assert target.pass_time(1100.0) == Elapsed(no_longer_kept=(X,), forgotten=(X,))


def test_shared_address_is_kept_for_all_who_had_it() -> None:
    target = released(sticky_s=10)
    target.remember(X, A)
    target.pass_time(1005.0)
    target.remember(X, B)
    assert target.kept_for(X) == {A, B}
    target.forget(X, A)
    assert target.kept_for(X) == {B}
    assert target.pass_time(1012.0) == Elapsed()
    target.forget(X, B)
    assert not target.rests(X)


def test_former_addresses_are_the_latest_first() -> None:
    target = released()
    for address in (X, Y, X, Z):
        target.remember(address, A)
    assert target.former(A) == (Z, X, Y)
    assert list(target.resting()) == [Y, X, Z]


def test_what_is_remembered_can_be_handed_on() -> None:
    target = released(sticky_s=10)
    target.remember(X, A)
    target.pass_time(1001.0)
    target.remember(Y, B)
    heir = released(sticky_s=10, now=1010.5)
    for each in target.releases:
        heir.remember(each.address, each.service, each.at)
    assert heir.releases == (Release(address=X, service=A, at=1000.0), Release(address=Y, service=B, at=1001.0))
    assert not heir.kept_for(X)
    assert heir.kept_for(Y) == {B}


def test_release_in_the_future_counts_from_now() -> None:
    target = released()
    target.remember(X, A, 9999.0)
    assert target.releases == (Release(address=X, service=A, at=1000.0),)


def test_release_of_long_ago_is_not_remembered() -> None:
    target = released()
    target.remember(X, A, 900.0)
    assert target.releases == ()


def test_no_more_is_remembered_than_can_be_persisted() -> None:
    target = released(sticky_s=60)
    for number in range(MOST_REMEMBERED + 2):
        target.remember(_numbered(number), A)
    elapsed = target.pass_time(1000.0)
    assert elapsed.forgotten == elapsed.no_longer_kept == (_numbered(0), _numbered(1))
    assert len(target.releases) == MOST_REMEMBERED


def _numbered(number: int) -> IpAddress:
    return X + number
