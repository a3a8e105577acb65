"""A real API server and our parser judge the same objects, by the definitions in deploy/crds."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import Severity
from orchestrator.resources.parse import ParsedObject, parse_object
from orchestrator.resources.schema import DEFINED, name_of
from tests.support.crd_cases import NAMESPACE, Case, Raw, cases_by_hand, cases_of_defaults, cases_of_tables
from tests.support.crd_cases_of_addresses import cases_of_addresses
from tests.support.plane import Plane

FOLDER = Path(__file__).parents[2] / "deploy" / "crds"
GUIDES = sorted((Path(__file__).parents[1] / "unit" / "resources").glob("seed_*.yaml"))
CASES = (*cases_of_tables(), *cases_by_hand(), *cases_of_defaults(), *cases_of_addresses())


@pytest.fixture(scope="module", autouse=True)
def established(plane: Plane) -> None:
    plane.kubectl("apply", "--server-side", "-f", str(FOLDER))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(FOLDER))
    plane.kubectl("create", "namespace", NAMESPACE)


def path_of(obj: Raw, name: str = "") -> str:
    kind, namespace = BY_NAME[obj["kind"]], obj["metadata"].get("namespace", NAMESPACE)
    return f"/apis/{obj['apiVersion']}/namespaces/{namespace}/{kind.plural}" + (f"/{name}" if name else "")


def create(plane: Plane, obj: Raw, *, dry: bool = False) -> tuple[int, Any]:
    """As `kubectl apply --validate=strict` does, with `dry` as with --dry-run=server."""
    return plane.request("POST", f"{path_of(obj)}?fieldValidation=Strict{'&dryRun=All' if dry else ''}", obj)


def test_definitions_are_structural_and_established(plane: Plane) -> None:
    for kind in DEFINED:
        _, found = plane.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name_of(kind)}")
        conditions = {each["type"]: each["status"] for each in found["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}, name_of(kind)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_api_server_and_parser_agree(plane: Plane, case: Case) -> None:
    status, answer = create(plane, case.obj, dry=True)
    ours = parse_object(case.obj, NAMESPACE)
    assert (status == 201) is case.accepted, answer
    assert case.accepted or case.says in answer["message"]
    assert (isinstance(ours, ParsedObject) is case.accepted) is not bool(case.because), ours


@pytest.mark.parametrize("case", [case for case in CASES if case.accepted and not case.because], ids=str)
def test_parser_reads_the_same_from_what_the_api_server_returns(plane: Plane, case: Case) -> None:
    sent = parse_object(case.obj, NAMESPACE)
    returned = parse_object(create(plane, case.obj, dry=True)[1], NAMESPACE)
    assert isinstance(sent, ParsedObject)
    assert isinstance(returned, ParsedObject), returned
    assert returned.problems == sent.problems
    assert getattr(returned.obj, "spec", None) == getattr(sent.obj, "spec", None)


@pytest.mark.parametrize("case", list(cases_of_defaults()), ids=str)
def test_api_server_fills_in_the_defaults_of_the_tables_only(plane: Plane, case: Case) -> None:
    _, answer = create(plane, case.obj, dry=True)
    assert answer["spec"] == {**case.obj["spec"], **case.filled}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_guides_are_accepted(plane: Plane, guide: Path) -> None:
    objects = [obj for obj in yaml.safe_load_all(guide.read_text()) if "metallb.io/" in obj["apiVersion"]]
    for obj in objects:
        status, answer = create(plane, obj, dry=True)
        assert status == 201, answer
        returned = parse_object(answer, NAMESPACE)
        assert isinstance(returned, ParsedObject)
        assert all(problem.severity is Severity.WARNING for problem in returned.problems)
