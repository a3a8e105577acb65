"""Every process of ours ends again and again, in random order, while people change things; then it is quiet, and all is right.

FERRULE_CHAOS_SEED=n repeats the sequence that was printed with that number.
"""

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from random import Random

import pytest

from tests.e2e.chaos import observed, verdict, wishes
from tests.e2e.chaos.blows import all_blows
from tests.e2e.chaos.turmoil import Turmoil, start_workload
from tests.e2e.chaos.wishes import APPS
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.history import History
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.waiting import eventually

pytestmark = pytest.mark.timeout(1500)

SEED = "FERRULE_CHAOS_SEED"
CHAOS_S = 180.0
QUIET_LIMIT_S = 300.0
"""A node that is back owns addresses again after 30 s, a container is back after five; the rest is for a busy machine."""
SHOWN = 8
GROWTH, ALLOWANCE_MIB = 1.5, 16.0
"""No process may have more memory than that times what it had, and a little: what grows with each restart of others does."""


@pytest.fixture
def seed() -> int:
    return int(os.environ.get(SEED) or secrets.randbelow(100_000))


@pytest.fixture
def history(cluster: Cluster) -> Iterator[History]:
    with History(cluster.plane, cluster.plane.folder, "/api/v1/namespaces/default/services") as begun:
        yield begun


def test_everything_is_as_computed_anew_after_three_minutes_of_chaos(
    cluster: Cluster, history: History, seed: int, step: StepMaker
) -> None:
    turmoil = Turmoil(cluster, Random(seed))
    with step("Ferrule, its configuration, workloads"):
        cluster.install()
        cluster.apply(wishes.NETWORK)
        for name in APPS:
            start_workload(cluster, name)
    with step("Services, and all is right"):
        turmoil.create_all()
        becomes_right(cluster)
    before = observed.memory_mib(cluster)
    with step(f"chaos, {SEED}={seed}"):
        try:
            turmoil.run(CHAOS_S)
        finally:
            print("\n".join(turmoil.lines))
    with step("quiet: all is right again"):
        becomes_right(cluster)
    with step("nobody lost an address that could be kept"):
        assert history.is_complete
        assert not verdict.lost_addresses(history)
    after = observed.memory_mib(cluster)
    report(cluster, turmoil, before, after)
    assert not observed.bugs(cluster)
    grown = {name: size for name, size in after.items() if size > GROWTH * before.get(name, size) + ALLOWANCE_MIB}
    assert not grown


def becomes_right(cluster: Cluster) -> None:
    """Print what differs, each time that this changes. Raises AssertionError with what differs at last."""
    begun, last = time.monotonic(), [""]

    def is_right() -> bool:
        found = verdict.differences(cluster)
        if found != last:
            last[:] = found
            print(f"{time.monotonic() - begun:7.2f} s: {len(found)} differences", *found[:SHOWN], sep="\n          ")
        assert not found, "\n".join(found)
        return True

    eventually(is_right, "what a fresh computation gives", within_s=QUIET_LIMIT_S)


def report(cluster: Cluster, turmoil: Turmoil, before: Mapping[str, float], after: Mapping[str, float]) -> None:
    """What was done and what it looked like, for whoever reads the output."""
    never = {str(card) for card in all_blows(sorted(cluster.nodes))} - {
        card for card, hits in turmoil.played.items() if hits
    }
    print(f"{sum(turmoil.played.values())} blows, {turmoil.missed} more found nobody; never hit: {sorted(never)}")
    for name, count in observed.restarts(cluster).items():
        print(f"{count:8} restarts of {name}")
    for name in sorted(before.keys() | after.keys()):
        print(f"{before.get(name, 0):8.1f} MiB before, {after.get(name, 0):5.1f} after: {name}")
    for line, count in observed.error_lines(cluster).items():
        print(f"{count:8} x {line}")
