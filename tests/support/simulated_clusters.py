"""Clusters of simulated nodes for the laws of liveness: how they start, and what holds when all is well."""

from hypothesis import settings
from hypothesis import strategies as st

from orchestrator.fsm.liveness import Timing
from tests.support.mesh_simulation import Cluster

TIMING = Timing(interval_s=0.1, hold_s=2.0, isolation_s=3.0)
LOST_S = 0.6
"""By then who fell silent is lost to all, and all know."""

SIMULATION = settings(max_examples=25, deadline=None)


def cluster_of(size: int, seed: int = 0, timing: Timing = TIMING) -> Cluster:
    cluster = Cluster(tuple(f"node-{number:03}" for number in range(size)), timing, seed)
    cluster.start(*cluster.names)
    cluster.run(1.5 * timing.interval_s)
    return cluster


def clusters(smallest: int = 2, largest: int = 7) -> st.SearchStrategy[Cluster]:
    return st.builds(cluster_of, st.integers(smallest, largest), st.integers(0, 2**32))


def assert_one_owner(cluster: Cluster) -> None:
    assert len(cluster.alive()) == 1
    assert all(len(owners) == 1 for owners in cluster.owners())
