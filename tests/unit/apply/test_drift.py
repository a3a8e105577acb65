from orchestrator.apply.drift import Drift
from orchestrator.render.canonical import Line

ONE, OTHER = Line((), "one"), Line((), "other")


def test_third_time_within_a_minute_is_too_often() -> None:
    drift = Drift()
    assert drift.failing([ONE], 0.0) == ()
    assert drift.failing([ONE, OTHER], 20.0) == ()
    assert drift.failing([ONE, OTHER], 40.0) == (ONE,)


def test_slow_repetition_is_put_back_for_ever() -> None:
    drift = Drift()
    assert [drift.failing([ONE], now) for now in (0.0, 31.0, 62.0, 93.0)] == [()] * 4


def test_line_that_is_there_again_is_forgotten() -> None:
    drift = Drift()
    for now in (0.0, 1.0):
        drift.failing([ONE], now)
    drift.failing([], 100.0)
    assert drift.failing([ONE], 101.0) == ()
