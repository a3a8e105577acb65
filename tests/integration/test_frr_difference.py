"""Real bgpd and bfdd follow any sequence of documents: afterwards they run exactly what was rendered."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.apply.frr import FrrAnnouncer
from orchestrator.render.document import FrrDocument
from orchestrator.render.ownership import foreign_lines
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, daemons
from tests.support.frr_strategies import documents
from tests.support.frr_versions import FrrVersion

Live = tuple[Daemons, FrrAnnouncer]


@pytest.fixture(scope="module", params=FrrVersion, ids=lambda version: version.value)
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """bgpd and bfdd that no supervisor ends: a document without peers leaves them as they are."""
    with daemons("d", request.param) as made:
        for name in ("bgpd", "bfdd"):
            made.run.daemon_conf(name).write_text("! empty\n")
            made.run.daemon_conf(name).chmod(0o644)
            made.start(name)
        yield made, FrrAnnouncer(made.run, gid=FRR_GID, patience_s=PATIENCE_S)


@settings(max_examples=20, deadline=None)
@given(st.lists(documents(), min_size=2, max_size=4))
def test_daemons_run_what_was_rendered_after_any_sequence(live: Live, sequence: Sequence[FrrDocument]) -> None:
    asyncio.run(_follow(*live, sequence))


async def _follow(made: Daemons, announcer: FrrAnnouncer, sequence: Sequence[FrrDocument]) -> None:
    try:
        for each in sequence:
            result = await announcer.apply(each)
            assert not result.refusals
            for name in (daemon for daemon in each.daemons if daemon != "zebra"):
                running = await made.running(name)
                assert not each.lines(name) - running
                assert not foreign_lines(running, each.lines(name))
    finally:
        announcer.close()
