"""Every case in the folders beside this file; README.md says how they are written."""

import pytest

from tests.support.case_comparison import differences
from tests.support.case_files import Case, cases, read_all
from tests.support.case_world import World

CONTRACT = {
    "allocation": [f"2.{number}" for number in range(1, 11)] + ["12.1"],
    "configuration": [f"1.{number}" for number in range(1, 8)] + [f"3.{number}" for number in range(2, 12)],
}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases()])
def test_case(case: Case) -> None:
    world = World(case.classes, case.released)
    for step in case.steps:
        found = list(differences(step.then, world.take(step)))
        if found:
            after = f", then {step.what}" if step.what else ""
            pytest.fail(f"{case.file}: {case.what}{after}\n  " + "\n  ".join(found), pytrace=False)


@pytest.mark.parametrize("folder", sorted(CONTRACT))
def test_every_paragraph_of_the_contract_has_cases(folder: str) -> None:
    shown = {section for file in read_all() if file.file.parent.name == folder for section in file.sections}
    assert not set(CONTRACT[folder]) - shown


def test_every_file_is_read_and_no_case_stands_twice() -> None:
    ids = [case.id for case in cases()]
    assert len(ids) == len(set(ids)) > 0
