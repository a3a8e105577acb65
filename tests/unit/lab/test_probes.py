import time

import pytest

from orchestrator.errors import NotReady
from orchestrator.lab import probes
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.probes import Answer, Request, Stream

A = Answer(endpoint="ep-a", node="node-a", client="198.51.100.10")
B = Answer(endpoint="ep-b", node="node-b", client="198.51.100.10")


def request(started: float, took: float = 0.01, answer: Answer | None = A) -> Request:
    return Request(started=started, ended=started + took, answer=answer)


def stream(*requests: Request) -> Stream:
    """A stream that was never started, with requests as they would have ended."""
    return Stream(Namespace("none"), "203.0.113.1", requests=sorted(requests, key=lambda one: one.ended))


def test_outage_lasts_until_the_first_answer_after_the_last_failure() -> None:
    seen = stream(request(0.9), request(1.1, 0.4, None), request(1.2), request(1.3, 0.4, None), request(1.4, 0.05))
    assert seen.served_again(1.0) == pytest.approx(0.45)


def test_failures_before_the_instant_do_not_count() -> None:
    assert stream(request(0.5, 0.4, None), request(1.1)).served_again(1.0) == 0.0


def test_first_answer_is_the_one_that_ended_first() -> None:
    early = request(1.2, 0.01)
    assert stream(request(1.0, 0.5), early, request(1.1, 0.02, None)).first_answer() == early


def test_steady_needs_time_without_failures() -> None:
    now = time.monotonic()
    assert stream(request(now - 5)).is_steady_since(now - 5, 1.0)
    assert not stream(request(now - 0.5, 0.4, None)).is_steady_since(now - 5, 1.0)
    assert not stream(request(now - 5)).is_steady_since(now, 1.0)


def test_spread_counts_answers_only() -> None:
    requests = [request(1), request(2), request(3, answer=B), request(4, answer=None)]
    assert probes.spread(requests, lambda answer: answer.node) == {"node-a": 2, "node-b": 1}


def test_waiting_ends_with_the_first_true_value() -> None:
    values = iter([None, 0, 7, 8])
    assert probes.until(lambda: next(values), "seven", interval_s=0.001) == 7


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(NotReady, match=r"the route: not within 0\.01 s"):
        probes.until(lambda: False, "the route", limit_s=0.01, interval_s=0.001)
