"""A speaker that starts among Nodes without speakers, and one that is restarted."""

import os
import time
from collections.abc import Iterator

import pytest

from orchestrator.lab import objects, processes, topology
from orchestrator.lab.topology import Lab
from orchestrator.runtime.speaker_layer2 import START_S
from tests.support.running_lab import child_pid, kill, log_lines, wait

pytestmark = pytest.mark.timeout(240)

NODE = "node-a"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab of three Nodes of which one has a speaker."""
    lab = Lab.up(f"one{os.getpid()}")
    try:
        for manifest in topology.initial_manifests():
            lab.drop(manifest)
        processes.start_controller(lab)
        processes.start_supervisor(lab, NODE)
        wait(lambda: objects.address_of(lab, "intranet"), "an address")
        wait(lambda: lab.folder.run(NODE).children.exists() and child_pid(lab, NODE, "responder"), "the responder")
        yield lab
    finally:
        lab.down()


def assigned_events(lab: Lab) -> list[str]:
    return [path.read_text() for path in (lab.folder.state / "events" / "default").glob("intranet.nodeAssigned.*")]


def announcements(lab: Lab) -> list[dict[str, object]]:
    lines = log_lines(lab, f"speaker-{NODE}", "serviceAnnounced")
    return [line for line in lines if (line["service"], line["protocol"]) == ("default/intranet", "layer2")]


def test_only_speaker_serves_after_it_has_waited_for_the_others(lab: Lab) -> None:
    started = time.monotonic()
    processes.start_speaker(lab, NODE)
    wait(lambda: objects.layer2_nodes(lab, "intranet") == [NODE], "the only speaker's announcement")
    assert time.monotonic() - started >= START_S
    assert [line["nodes"] for line in log_lines(lab, f"speaker-{NODE}", "candidates for layer-2 addresses")][-1] == [
        NODE
    ]


def test_restarted_speaker_waits_for_nobody_and_repeats_no_event(lab: Lab) -> None:
    wait(lambda: objects.layer2_nodes(lab, "intranet") == [NODE], "an owner")
    name = f"speaker-{NODE}"
    events, announced = assigned_events(lab), len(announcements(lab))
    kill(lab, name)
    processes.start_speaker(lab, NODE)
    wait(lambda: len(announcements(lab)) > announced, "the announcement by the new speaker")
    assert assigned_events(lab) == events
    assert log_lines(lab, name, "serviceWithdrawn") == []
