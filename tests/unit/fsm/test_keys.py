"""A cluster changes its heartbeats' key while its nodes learn of it one after the other."""

import pytest

from orchestrator.fsm.keys import ACCEPT_OLD_S, SIGN_WITH_OLD_S, Keys

OLD, NEW = b"old", b"new"


def test_one_key_signs_and_is_accepted() -> None:
    keys = Keys(newest=OLD)
    assert (keys.signing(5.0), keys.accepted(5.0)) == (OLD, (OLD,))


def test_same_key_changes_nothing() -> None:
    keys = Keys(newest=OLD).after(NEW, 10.0)
    assert keys.after(NEW, 20.0) is keys


@pytest.mark.parametrize(
    ("age", "signing", "accepted"),
    [
        (0.0, OLD, (OLD, NEW)),
        (SIGN_WITH_OLD_S, NEW, (NEW, OLD)),
        (ACCEPT_OLD_S, NEW, (NEW,)),
    ],
)
def test_new_key_is_accepted_first_and_used_later(age: float, signing: bytes, accepted: tuple[bytes, ...]) -> None:
    keys = Keys(newest=OLD).after(NEW, 10.0)
    assert keys.signing(10.0 + age) == signing
    assert keys.accepted(10.0 + age) == accepted


def test_first_key_counts_at_once() -> None:
    keys = Keys(newest=b"").after(NEW, 10.0)
    assert (keys.signing(10.0), keys.accepted(10.0)) == (NEW, (NEW,))


def test_nodes_that_learn_of_it_up_to_two_minutes_apart_always_accept_each_other() -> None:
    early = Keys(newest=OLD).after(NEW, 0.0)
    for second in range(400):
        late = Keys(newest=OLD)
        if second >= SIGN_WITH_OLD_S:
            late = late.after(NEW, SIGN_WITH_OLD_S)
        now = float(second)
        assert early.signing(now) in late.accepted(now)
        assert late.signing(now) in early.accepted(now)
