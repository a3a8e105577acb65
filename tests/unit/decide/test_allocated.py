import pytest

from orchestrator.decide.allocated import ALLOCATED, allocated
from orchestrator.decide.requests import AllocationRefusal, RefusalReason

FULL = AllocationRefusal(RefusalReason.NO_AVAILABLE_ADDRESSES, "no available IPs; add addresses")


@pytest.mark.parametrize(
    ("addresses", "pool", "refusal", "said"),
    [
        (["192.0.2.1"], "lan", None, ("True", "Allocated", "192.0.2.1 from pool lan")),
        (["192.0.2.1", "2001:db8::1"], "lan", None, ("True", "Allocated", "192.0.2.1, 2001:db8::1 from pool lan")),
        (["192.0.2.1"], "", None, ("True", "Allocated", "192.0.2.1")),
        ([], "", FULL, ("False", "NoAvailableAddresses", FULL.message)),
        (
            ["192.0.2.1"],
            "lan",
            FULL,
            ("True", "NoAvailableAddresses", f"keeps 192.0.2.1 from pool lan; but {FULL.message}"),
        ),
    ],
)
def test_condition_tells_the_addresses_or_why_there_are_none(
    addresses: list[str], pool: str, refusal: AllocationRefusal | None, said: tuple[str, str, str]
) -> None:
    condition = allocated(addresses, pool, refusal)
    assert condition is not None
    assert condition.type == ALLOCATED
    assert (condition.status, condition.reason, condition.message) == said


def test_nothing_is_said_of_a_service_of_which_nothing_is_known() -> None:
    assert allocated([], "", None) is None
