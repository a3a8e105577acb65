"""The same manifests with FRR and with ExaBGP: the router sees the same, and what happens to ExaBGP costs no route for long."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.lab import objects
from orchestrator.lab.topology import Lab
from tests.support import running_lab
from tests.support.engines import (
    EXABGP_NODE,
    FRR_NODE,
    addresses_of,
    configure_router,
    peers,
    same_routes,
    service,
    show,
    start_speaker,
    tables,
    two_engines,
)
from tests.support.running_lab import child_pid, flaps, kill, renewed_pid, wait

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with two_engines("engines") as lab:
        yield lab


def test_both_engines_give_the_same_routes_with_the_same_attributes(lab: Lab) -> None:
    both = tables(lab)
    assert both[FRR_NODE] == both[EXABGP_NODE]
    assert set(both[EXABGP_NODE]) == {
        "203.0.113.16/28",
        "203.0.113.17/32",
        "203.0.113.18/32",
        "2001:db8:9::/112",
        "2001:db8:9::17/128",
        "2001:db8:9::18/128",
    }
    (path,) = both[EXABGP_NODE]["203.0.113.17/32"]
    assert path["communities"] == "64512:100 no-export"
    assert path["large communities"] == "64512:1:2"
    assert path["extended communities"] == "LB:64512:125000 (1.000 Mbps)"
    assert (path["as path"], path["metric"]) == ("64512 64512", 70)
    assert path["local preference"] is None


def updates_received(lab: Lab) -> dict[str, int]:
    """How many UPDATE messages the router has got over each session of ExaBGP's node."""
    return {peer: found["messageStats"]["updatesRecv"] for peer, found in neighbors(lab).items()}


def neighbors(lab: Lab) -> dict[str, dict[str, Any]]:
    found = show(lab, "show bgp neighbors json")
    return {peer: found[peer] for peer in addresses_of(EXABGP_NODE) if peer in found}


def exabgp_is_ready(lab: Lab) -> bool:
    status, _ = running_lab.http_get(lab, EXABGP_NODE, 17472, "/readyz")
    return status == 200


def test_lost_endpoint_withdraws_and_its_return_announces(lab: Lab) -> None:
    lab.write_manifest("shop.yaml", service("shop", 18, ready=False, policy="Local"))
    wait(lambda: same_routes(lab, 4), "the Service without endpoints to be gone")
    assert not {"203.0.113.18/32", "2001:db8:9::18/128"} & tables(lab)[EXABGP_NODE].keys()
    lab.write_manifest("shop.yaml", service("shop", 18, policy="Local"))
    wait(lambda: same_routes(lab, 6), "the Service with endpoints to be back")


def test_killed_exabgp_comes_back_with_every_route(lab: Lab) -> None:
    pid = child_pid(lab, EXABGP_NODE, "exabgp")
    os.kill(pid, signal.SIGKILL)
    wait(lambda: not tables(lab)[EXABGP_NODE], "the router to notice")
    renewed_pid(lab, EXABGP_NODE, "exabgp", pid)
    wait(lambda: same_routes(lab, 6), "every route again")


def test_killed_helper_costs_no_session_and_no_route(lab: Lab) -> None:
    wait(lambda: exabgp_is_ready(lab), "the speaker to be ready")
    before, sent = flaps(lab), updates_received(lab)
    (helper,) = helpers(lab)
    os.kill(helper, signal.SIGKILL)
    wait(lambda: helpers(lab) not in ([], [helper]), "another helper")
    lab.write_manifest("more.yaml", service("more", 19))
    wait(lambda: same_routes(lab, 8), "a new Service over the new helper")
    (lab.folder.manifests / "more.yaml").unlink()
    wait(lambda: same_routes(lab, 6), "it to be gone")
    assert flaps(lab) == before
    assert {peer: count - sent[peer] for peer, count in updates_received(lab).items()} == dict.fromkeys(sent, 2)


def helpers(lab: Lab) -> list[int]:
    """The pids of ExaBGP's helper processes on its node."""
    found = lab.machines[EXABGP_NODE].run(["pgrep", "-P", str(child_pid(lab, EXABGP_NODE, "exabgp"))], check=False)
    return [int(pid) for pid in found.stdout.split()]


def test_restarted_speaker_sends_nothing_and_flaps_nothing(lab: Lab) -> None:
    speaker_restarts_without_a_message(lab)
    assert same_routes(lab, 6)


def speaker_restarts_without_a_message(lab: Lab) -> None:
    before, sent = flaps(lab), updates_received(lab)
    kill(lab, f"speaker-{EXABGP_NODE}")
    start_speaker(lab, EXABGP_NODE)
    wait(lambda: exabgp_is_ready(lab), "the new speaker to be ready")
    assert updates_received(lab) == sent
    assert flaps(lab) == before


def test_what_changed_while_no_speaker_was_there_is_withdrawn_by_the_next(lab: Lab) -> None:
    kill(lab, f"speaker-{EXABGP_NODE}")
    lab.write_manifest("shop.yaml", service("shop", 18, ready=False, policy="Local"))
    wait(lambda: len(tables(lab)[FRR_NODE]) == 4, "FRR's node to withdraw")
    assert len(tables(lab)[EXABGP_NODE]) == 6
    start_speaker(lab, EXABGP_NODE)
    wait(lambda: same_routes(lab, 4), "ExaBGP's node to withdraw, too")
    lab.write_manifest("shop.yaml", service("shop", 18, policy="Local"))
    wait(lambda: same_routes(lab, 6), "the Service to be back")


def test_peer_with_an_option_that_exabgp_lacks_is_refused_with_a_condition(lab: Lab) -> None:
    lab.write_manifest("peers.yaml", peers(more=", connectTime: 5s"))
    wait(lambda: len(tables(lab)[EXABGP_NODE]) == 3, "the refused peer's session to be gone")
    errors = objects.configuration_errors(lab)
    assert set(errors) == {f"speaker-{EXABGP_NODE}"}
    assert "connectTime" in errors[f"speaker-{EXABGP_NODE}"]
    assert "ExaBGP has no connect timer" in errors[f"speaker-{EXABGP_NODE}"]
    assert len(tables(lab)[FRR_NODE]) == 6
    lab.write_manifest("peers.yaml", peers())
    wait(lambda: same_routes(lab, 6), "both sessions again")
    wait(lambda: not objects.configuration_errors(lab), "no complaint any more")


def same_but_next_hops(lab: Lab) -> bool:
    """bgpd without zebra knows no IPv6 address of its own: it sends an IPv4-mapped next hop (FRR 8.4.4)."""
    both = tables(lab)
    bare = {
        node: {
            prefix: [{**path, "next hops": len(path["next hops"])} for path in paths] for prefix, paths in table.items()
        }
        for node, table in both.items()
    }
    return bare[FRR_NODE] == bare[EXABGP_NODE] and len(bare[FRR_NODE]) == 6


def test_ibgp_carries_local_preference_and_one_session_both_families(lab: Lab) -> None:
    """Last: it changes every session of both nodes."""
    configure_router(
        lab,
        "router bgp 64513",
        "neighbor nodes remote-as 64513",
        "neighbor nodes6 shutdown",
        "address-family ipv6 unicast",
        "neighbor nodes activate",
    )
    lab.write_manifest("peers.yaml", peers(asn=64513, more=", dualStackAddressFamily: true", only=("four",)))
    wait(lambda: same_but_next_hops(lab), "the same routes over one internal session")
    table = tables(lab)[EXABGP_NODE]
    (four,), (six,), (whole,) = (
        table[prefix] for prefix in ("203.0.113.17/32", "2001:db8:9::17/128", "203.0.113.16/28")
    )
    assert (four["local preference"], six["local preference"], whole["local preference"]) == (210, 210, 100)
    assert (four["as path"], six["session"], six["next hops"]) == ("Local", 0, [1])
    speaker_restarts_without_a_message(lab)
