from pathlib import Path

import pytest

from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.responder_api import Liveness
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.extensions import SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta
from orchestrator.runtime.speaker_layer2 import Layer2
from orchestrator.settings import RunFolder, SpeakerSettings

A, B, C = "node-a", "node-b", "node-c"


def speaker(node: str, *mesh: str, draining: bool = False) -> SpeakerState:
    spec = SpeakerStateSpec(node=node, mesh_addresses=mesh, draining=draining)
    return SpeakerState(metadata=ObjectMeta(name=node), spec=spec)


@pytest.fixture
def layer2() -> Layer2:
    """The layer 2 of node-a, not connected to any responder."""
    folder = Path("/nonexistent")
    settings = SpeakerSettings(source=folder, state=folder, node=A, run=RunFolder(folder))
    return Layer2(settings, Metrics(SPEAKER_METRICS), lambda _event: None)


SPEAKERS = {A: speaker(A, "192.0.2.11"), B: speaker(B, "192.0.2.12"), C: speaker(C, "192.0.2.13")}


def test_everybody_is_a_candidate_until_the_responder_reports(layer2: Layer2) -> None:
    assert layer2.candidates(SPEAKERS) == {A, B, C}


def test_node_that_the_responder_has_not_heard_of_yet_is_a_candidate(layer2: Layer2) -> None:
    layer2.took(Liveness(states={}, alive=(A,)))
    assert layer2.candidates(SPEAKERS) == {A, B, C}


def test_node_that_the_responder_calls_dead_is_none(layer2: Layer2) -> None:
    layer2.took(Liveness(states={B: NodeState.UP, C: NodeState.DOWN}, alive=(A, B)))
    assert layer2.candidates(SPEAKERS) == {A, B}


def test_draining_nodes_and_nodes_without_address_are_none(layer2: Layer2) -> None:
    layer2.took(Liveness(states={}, alive=(A,)))
    assert layer2.candidates({A: SPEAKERS[A], B: speaker(B, "192.0.2.12", draining=True), C: speaker(C)}) == {A}
