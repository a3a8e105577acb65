"""When the first list is there, and when what may come after it is."""

from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.sources.interface import InputState, Synced
from orchestrator.sources.kube.outlet import BELIEVED_REFUSALS, Outlet

WARNING = Problem(
    ref=ObjectRef("EndpointSlice", "", ""), field="", message="cannot be listed", severity=Severity.WARNING
)


async def told(outlet: Outlet, *steps: str) -> list[object]:
    for what in steps:
        outlet.listed(what)
    outlet.put([InputState(incomplete=True)])
    events: list[object] = []
    while not events or events[-1] != InputState(incomplete=True):
        events += await outlet.next()
    return events[:-1]


def outlet_with_late() -> Outlet:
    outlet = Outlet()
    outlet.expect("services")
    outlet.expect("endpointslices", late=True)
    return outlet


async def test_first_list_does_not_wait_for_what_is_late() -> None:
    outlet = outlet_with_late()
    assert await told(outlet, "services") == [Synced(complete=False)]
    assert await told(outlet, "endpointslices") == [Synced()]
    assert await told(outlet, "services", "endpointslices") == []


async def test_late_kind_that_is_early_completes_the_first_list_with_it() -> None:
    assert await told(outlet_with_late(), "endpointslices", "services") == [Synced()]


async def test_late_kind_that_is_refused_is_waited_for_no_longer() -> None:
    outlet = outlet_with_late()
    for _ in range(BELIEVED_REFUSALS):
        outlet.refused("endpointslices", WARNING)
    assert await told(outlet, "services") == [InputState((WARNING,)), Synced()]


async def test_slices_that_are_needed_are_waited_for_however_often_they_are_refused() -> None:
    outlet = Outlet()
    outlet.expect("endpointslices")
    for _ in range(BELIEVED_REFUSALS):
        outlet.refused("endpointslices", WARNING)
    assert await told(outlet) == []
