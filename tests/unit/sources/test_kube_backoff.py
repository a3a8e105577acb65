import pytest

from orchestrator.errors import KubeError
from orchestrator.sources.kube.backoff import Failures, delay_s


def delays(status: int, randomness: float, count: int = 20, retry_after_s: float = 0.0) -> list[float]:
    failures, found = Failures(), []
    for _ in range(count):
        failures = failures.another(status)
        error = KubeError("refused", status=status, retry_after_s=retry_after_s)
        found.append(delay_s(error, failures, randomness))
    return found


@pytest.mark.parametrize(
    ("status", "longest"), [(0, 1.0), (401, 10.0), (429, 10.0), (500, 10.0), (403, 30.0), (404, 30.0)]
)
def test_delay_doubles_up_to_its_limit(status: int, longest: float) -> None:
    found = delays(status, randomness=1.0)
    assert found[:3] == [0.05, 0.1, 0.2]
    assert found[-1] == longest


def test_half_of_the_delay_is_random() -> None:
    assert delays(500, randomness=0.0)[-1] == 5.0


def test_history_that_is_gone_is_listed_at_once_but_not_in_a_circle() -> None:
    assert delays(410, randomness=1.0, count=3) == [0.0, 0.1, 0.2]


def test_retry_after_is_honored_within_reason() -> None:
    assert delays(429, randomness=0.0, count=1, retry_after_s=3) == [3]
    assert delays(429, randomness=0.0, count=1, retry_after_s=86400) == [60]


def test_starting_server_is_asked_again_sooner_than_it_asks_for() -> None:
    assert delays(503, randomness=0.0, count=1, retry_after_s=5) == [1]


def test_different_failure_starts_anew() -> None:
    failures = Failures()
    for _ in range(9):
        failures = failures.another(0)
    assert delay_s(KubeError("forbidden", status=403), failures.another(403), 1.0) == 0.05
