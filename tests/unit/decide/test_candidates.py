from orchestrator.decide.candidates import Candidate
from orchestrator.decide.eligibility import Serving
from orchestrator.decide.node_plan import DeclineReason, Protocol
from tests.support.objects import ips, key, pool, service


def test_decline_names_the_service() -> None:
    candidate = Candidate(
        service=service("web"),
        addresses=ips("10.0.0.1"),
        pool=pool("p", "10.0.0.0/24"),
        serving=Serving(anywhere=False, nodes=frozenset()),
    )
    decline = candidate.decline(Protocol.BGP, DeclineReason.NO_ENDPOINTS, "none")
    assert (decline.service, decline.protocol, decline.reason) == (key("web"), Protocol.BGP, DeclineReason.NO_ENDPOINTS)
