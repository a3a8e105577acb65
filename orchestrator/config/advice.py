"""Advice: what is legal and surely not meant. Warnings with a code, each said once, in a fixed order.

A warning must be right: nothing is said of what may be in an object that is not known (an unreadable file, no Node
objects, no word of the speakers), and nothing again that `resolve` says already. It changes nothing: every object that
a warning is about is used.
"""

from collections.abc import Collection

from orchestrator.config import advice_advertisements, advice_peers, advice_pools
from orchestrator.config.advice_basis import known_of
from orchestrator.config.model import Config
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import SpeakerStateSpec
from orchestrator.resources.meta import Problem
from orchestrator.resources.snapshot import ClusterSnapshot


def advise(
    config: Config,
    snapshot: ClusterSnapshot,
    services: Collection[Service] = (),
    speakers: Collection[SpeakerStateSpec] = (),
) -> tuple[Problem, ...]:
    """Return the warnings about a snapshot that was resolved to `config`, by object.

    Services and SpeakerStates make more of them possible. An incomplete snapshot gives none.
    """
    if snapshot.incomplete:
        return ()
    known = known_of(config, snapshot, services, speakers)
    found = (
        *advice_pools.warnings_about(known),
        *advice_advertisements.warnings_about(known),
        *advice_peers.warnings_about(known),
    )
    return tuple(sorted(set(found), key=lambda problem: (problem.ref, problem.field, problem.code, problem.message)))
