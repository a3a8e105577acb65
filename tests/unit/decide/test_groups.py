from orchestrator.decide.groups import AddressGroups
from tests.support.objects import ips, key

A, B, C, D = (key(name) for name in "abcd")
ONE, TWO, THREE = ips("10.0.0.1", "10.0.0.2", "10.0.0.3")


def test_service_alone_is_a_group() -> None:
    groups = AddressGroups()
    assert groups.update(A, [ONE]) == (A,)
    assert groups.members(A) == (A,)


def test_service_without_addresses_is_a_group() -> None:
    groups = AddressGroups()
    groups.update(A, [])
    groups.update(B, [])
    assert groups.groups == (A, B)


def test_services_that_share_an_address_are_one_group() -> None:
    groups = AddressGroups()
    groups.update(B, [ONE])
    assert groups.update(A, [ONE]) == (A, B)
    assert groups.members(A) == (A, B)
    assert groups.members(B) == ()


def test_sharing_is_transitive() -> None:
    groups = AddressGroups()
    groups.update(A, [ONE])
    groups.update(C, [TWO])
    groups.update(D, [THREE])
    assert groups.update(B, [ONE, TWO]) == (A, C)
    assert groups.members(A) == (A, B, C)
    assert groups.members(D) == (D,)


def test_group_falls_apart_when_its_link_goes() -> None:
    groups = AddressGroups()
    groups.update(A, [ONE])
    groups.update(B, [ONE, TWO])
    groups.update(C, [TWO])
    assert groups.remove(B) == (A, C)
    assert (groups.members(A), groups.members(C)) == ((A,), (C,))


def test_changed_address_marks_old_and_new_group() -> None:
    groups = AddressGroups()
    for service, address in ((A, ONE), (B, TWO), (C, ONE)):
        groups.update(service, [address])
    assert groups.update(C, [TWO]) == (A, B)
    assert groups.members(B) == (B, C)


def test_unchanged_addresses_mark_the_own_group() -> None:
    groups = AddressGroups()
    groups.update(A, [ONE])
    groups.update(B, [ONE])
    assert groups.update(B, [ONE]) == (A,)


def test_forgotten_service_leaves_an_empty_group_to_withdraw() -> None:
    groups = AddressGroups()
    groups.update(A, [ONE])
    assert groups.remove(A) == (A,)
    assert groups.members(A) == ()
    assert groups.remove(A) == ()
