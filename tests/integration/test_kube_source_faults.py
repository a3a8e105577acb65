"""KubeSource while the way to the API server, or the server itself, is in trouble: nothing is ever taken away by it."""

import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from orchestrator.resources.meta import ObjectRef
from orchestrator.sources.interface import Synced, Unusable
from orchestrator.sources.kube import watching
from orchestrator.sources.kube.access import Freshness
from orchestrator.sources.kube.watching import Pace
from tests.support.certificates import Authority
from tests.support.kube_front import Front, OnMain, front_of, run_with_main
from tests.support.kube_reading import Cluster, Reading, reading, rule
from tests.support.plane import ETCD_PORT, Plane
from tests.support.plane_fixture import Tenant

FEW = frozenset({"Service", "Node", "Community"})
ROOT = "/apis/metallb.io/v1beta1"
IMPATIENT = Pace(silence_s=1.0)
SOON = Freshness(rejected_refresh_s=0.2)


@pytest.fixture(scope="module", autouse=True)
def definitions(plane: Plane) -> None:
    Cluster(plane, "default").apply_definitions()


@pytest.fixture
def cluster(tenant: Tenant) -> Cluster:
    made = Cluster(tenant.plane, tenant.name)
    for name in "abc":
        made.community(name)
    return made


@contextlib.asynccontextmanager
async def through_front(
    cluster: Cluster, folder: Path, pace: Pace = watching.USUAL
) -> AsyncIterator[tuple[Front, Reading]]:
    async with (
        front_of(cluster.plane, folder) as front,
        reading(front.kubeconfig, cluster.namespace, FEW, pace=pace) as seen,
    ):
        yield front, seen


def names(seen: Reading) -> set[str]:
    return set(seen.store.snapshot().communities)


def value(seen: Reading, name: str) -> str:
    found = seen.store.snapshot().communities.get(name)
    return found.spec.communities[0].value if found else ""


async def live(front: Front, seen: Reading) -> None:
    """Everything is synced, and the watch of Communities is open."""
    await seen.synced()
    await seen.until(lambda: front.of("communities"))


# --- the stream -------------------------------------------------------------------------------------------------------


def test_answers_in_small_pieces_are_put_together(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with through_front(cluster, tmp_path) as (front, seen):
            front.piece = 7
            await live(front, seen)
            cluster.community("a", "65000:99")
            cluster.community("d")
            await seen.until(lambda: value(seen, "a") == "65000:99" and "d" in names(seen))
            assert seen.witness.reasons == []

    cluster.plane.run(story())


def test_bookmarks_carry_the_version_on(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with through_front(cluster, tmp_path, Pace(shortest_s=3, longest_s=3)) as (front, seen):
            await live(front, seen)
            Cluster(cluster.plane, "default").community("moves-the-version-on")
            before = len(front.asked("communities", watch=True))
            await seen.until(lambda: len(front.asked("communities", watch=True)) > before + 1)
            versions = [int(one.query["resourceVersion"]) for one in front.asked("communities", watch=True)]
            assert versions[-1] > versions[0]
            assert len(front.asked("communities", watch=False)) == 1
            assert seen.witness.reasons == []

    cluster.plane.run(story())


def test_expired_version_relists_and_tells_only_what_changed(cluster: Cluster, tmp_path: Path) -> None:
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (9)"}

    async def story() -> None:
        async with through_front(cluster, tmp_path) as (front, seen):
            await live(front, seen)
            stream = front.of("communities")[0]
            stream.held = True
            cluster.delete("communities", "b", ROOT)
            cluster.community("c", "65000:3")
            told = len(seen.batches)
            await stream.say({"type": "ERROR", "object": expired})
            await seen.until(lambda: names(seen) == {"a", "c"} and value(seen, "c") == "65000:3")
            assert seen.removed() == [ObjectRef("Community", cluster.namespace, "b")]
            assert sum(len(batch) for batch in seen.batches[told:]) == 2
            assert seen.witness.reasons == []

    cluster.plane.run(story())


def test_error_of_the_server_resumes_where_it_was(cluster: Cluster, tmp_path: Path) -> None:
    failure = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd has no leader"}

    async def story() -> None:
        async with through_front(cluster, tmp_path) as (front, seen):
            await live(front, seen)
            await front.of("communities")[0].say({"type": "ERROR", "object": failure})
            await seen.until(lambda: seen.witness.live.count("communities") == 2)
            assert "500 InternalError: etcd has no leader" in seen.witness.why("communities")[0]
            assert len(front.asked("communities", watch=False)) == 1
            cluster.community("d")
            await seen.until(lambda: "d" in names(seen))

    cluster.plane.run(story())


def test_cut_connections_are_made_again(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with through_front(cluster, tmp_path) as (front, seen):
            await live(front, seen)
            for stream in front.streams.copy():
                stream.cut()
            cluster.delete("communities", "a", ROOT)
            cluster.community("d")
            await seen.until(lambda: names(seen) == {"b", "c", "d"})
            assert len(front.asked("communities", watch=False)) == 1
            assert seen.removed() == [ObjectRef("Community", cluster.namespace, "a")]

    cluster.plane.run(story())


def test_silent_stream_is_not_believed(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with through_front(cluster, tmp_path, IMPATIENT) as (front, seen):
            await live(front, seen)
            front.of("communities")[0].held = True
            cluster.community("d")
            await seen.until(lambda: "d" in names(seen))
            assert "silent for too long" in seen.witness.why("communities")[0]
            assert seen.removed() == []

    cluster.plane.run(story())


def test_watch_from_the_future_lists_anew(cluster: Cluster, tmp_path: Path) -> None:
    """An etcd that was restored from a backup is behind what we know; the API server says nothing about that."""

    async def story() -> None:
        async with front_of(cluster.plane, tmp_path) as front:
            moved = 0

            async def into_the_future(request: web.Request) -> web.StreamResponse | None:
                nonlocal moved
                if moved or "watch" not in request.query or not request.path.endswith("/communities"):
                    return None
                moved += 1
                url = request.rel_url.update_query(resourceVersion="99999999")
                return await front.pass_on(request, str(url))

            front.answers.append(into_the_future)
            async with reading(front.kubeconfig, cluster.namespace, FEW, pace=IMPATIENT) as seen:
                await live(front, seen)
                cluster.community("d")
                await seen.until(lambda: "d" in names(seen))
                assert len(front.asked("communities", watch=False)) == 2

    cluster.plane.run(story())


def test_server_that_ends_every_watch_at_once_is_not_hammered(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with front_of(cluster.plane, tmp_path) as front:

            async def nothing(request: web.Request) -> web.StreamResponse | None:
                ours = "watch" in request.query and request.path.endswith("/communities")
                return web.Response() if ours else None

            front.answers.append(nothing)
            async with reading(front.kubeconfig, cluster.namespace, FEW) as seen:
                await seen.until(lambda: len(front.asked("communities", watch=True)) >= 6)
                times = [one.at for one in front.asked("communities", watch=True)]
                assert times[5] - times[0] > 0.7
                assert "without a word" in seen.witness.failing_now["communities"]
                front.open()
                cluster.community("d")
                await seen.until(lambda: "d" in names(seen))

    cluster.plane.run(story())


# --- refused requests -------------------------------------------------------------------------------------------------


def test_retry_after_is_honored_and_nothing_is_synced_before(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with front_of(cluster.plane, tmp_path) as front:
            front.refuse("communities", 429, times=1, after="1")
            front.refuse("nodes", 500, times=2)
            async with reading(front.kubeconfig, cluster.namespace, FEW) as seen:
                await seen.synced()
                first, second = front.asked("communities", watch=False)[:2]
                assert second.at - first.at >= 1
                assert names(seen) == set("abc")
                assert "429" in seen.witness.why("communities")[0]
                assert len(seen.witness.why("nodes")) == 1

    cluster.plane.run(story())


def test_refused_watch_keeps_what_is_known(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with through_front(cluster, tmp_path) as (front, seen):
            await live(front, seen)
            front.refuse("communities", 503, times=4, watch=True)
            front.of("communities")[0].cut()
            await seen.until(lambda: seen.witness.live.count("communities") == 2)
            assert [reason.split(": ")[1] for reason in seen.witness.why("communities")][-1].startswith("503")
            assert names(seen) == set("abc")
            assert seen.removed() == []

    cluster.plane.run(story())


def test_expired_page_starts_the_list_again(cluster: Cluster, tmp_path: Path) -> None:
    async def story() -> None:
        async with front_of(cluster.plane, tmp_path) as front:
            compacted = 0

            async def compact_first(request: web.Request) -> web.StreamResponse | None:
                nonlocal compacted
                if not compacted and "continue" in request.query and request.path.endswith("/communities"):
                    compacted += 1
                    return web.json_response({"kind": "Status", "reason": "Expired", "code": 410}, status=410)
                return None

            front.answers.append(compact_first)
            async with reading(front.kubeconfig, cluster.namespace, FEW, pace=Pace(page_size=2)) as seen:
                await seen.synced()
                assert names(seen) == set("abc")
                assert len(front.asked("communities", watch=False)) == 4
                assert seen.witness.reasons == []

    cluster.plane.run(story())


# --- the server -------------------------------------------------------------------------------------------------------


def test_restarted_server_is_followed_at_once(cluster: Cluster) -> None:
    cluster.service("web")

    async def story(on_main: OnMain) -> None:
        async with reading(cluster.plane.kubeconfig(), cluster.namespace) as seen:
            await seen.synced()
            await on_main(cluster.plane.stop_api_server)
            await seen.until(lambda: "not reached: Connection refused" in str(seen.witness.failing_now.get("services")))
            await on_main(cluster.plane.start_api_server)
            cluster.community("a", "65000:9")
            cluster.community("d")
            ready = time.monotonic()
            await seen.until(lambda: "d" in names(seen) and value(seen, "a") == "65000:9")
            print(f"seen {time.monotonic() - ready:.2f} s after the API server was ready")
            await seen.until(lambda: not seen.witness.failing_now)
            assert seen.removed() == []
            assert seen.services() == {"web"}
            assert seen.events(Unusable) == []

    run_with_main(cluster.plane, story)


def test_compacted_history_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    async def story(on_main: OnMain) -> None:
        async with through_front(cluster, tmp_path) as (front, seen):
            await live(front, seen)
            front.shut()
            cluster.delete("communities", "b", ROOT)
            cluster.community("d")
            revision = int(
                cluster.plane.request("GET", cluster.path("communities", root=ROOT))[1]["metadata"]["resourceVersion"]
            )
            await on_main(cluster.plane.stop_api_server)
            await _compact(revision)
            await on_main(cluster.plane.start_api_server)
            front.open()
            await seen.until(lambda: names(seen) == {"a", "c", "d"})
            assert seen.removed() == [ObjectRef("Community", cluster.namespace, "b")]
            assert len(front.asked("communities", watch=False)) > 1

    run_with_main(cluster.plane, story)


async def _compact(revision: int) -> None:
    """By etcd's JSON gateway."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{ETCD_PORT}/v3/kv/compaction", json={"revision": revision, "physical": True}
        ) as answer,
    ):
        assert answer.status == 200, await answer.text()


# --- credentials and certificates -------------------------------------------------------------------------------------


def _config_with_token_file(plane: Plane, folder: Path, token: str) -> Path:
    config: dict[str, Any] = json.loads(plane.kubeconfig().read_text())
    config["users"][0]["user"] = {"tokenFile": "token"}
    (folder / "token").write_text(token)
    path = folder / "tokens.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def test_rejected_token_is_read_again(cluster: Cluster, tmp_path: Path) -> None:
    rules = [rule("", "services", "nodes", "secrets", "configmaps", "pods"), rule("metallb.io", "*")]
    cluster.account("old", rules)
    cluster.account("new", rules)
    config = _config_with_token_file(cluster.plane, tmp_path, cluster.plane.account_token(cluster.namespace, "old"))
    cluster.delete("serviceaccounts", "old")  # its tokens end with it

    async def story() -> None:
        async with reading(config, cluster.namespace, FEW, freshness=SOON) as seen:
            await seen.until(lambda: "401" in seen.witness.failing_now.get("services", ""))
            assert "may have expired" in seen.witness.failing_now["services"]
            assert not seen.events(Synced)
            (tmp_path / "token").write_text(cluster.plane.account_token(cluster.namespace, "new"))
            await seen.synced()
            assert names(seen) == set("abc")

    cluster.plane.run(story())


def test_expired_certificate_of_the_server_is_named(plane: Plane, cluster: Cluster, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    authority.serving("old", "127.0.0.1", lifetime=timedelta(days=-1))
    authority.serving("good", "127.0.0.1")

    async def story() -> None:
        async with front_of(plane, tmp_path) as front:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(authority.folder / "old.crt", authority.folder / "old.key")
            application = web.Application()
            application.router.add_route("GET", "/{path:.*}", front.handle)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            config = json.loads(front.kubeconfig.read_text())
            config["clusters"][0]["cluster"] = {
                "server": f"https://127.0.0.1:{runner.addresses[0][1]}",
                "certificate-authority": str(authority.certificate),
            }
            path = tmp_path / "tls.kubeconfig"
            path.write_text(json.dumps(config))
            async with reading(path, cluster.namespace, FEW, freshness=SOON) as seen:
                await seen.until(lambda: "services" in seen.witness.failing_now)
                assert "not trusted: certificate has expired" in seen.witness.failing_now["services"]
                assert len(seen.witness.why("services")) == 1
                tls.load_cert_chain(authority.folder / "good.crt", authority.folder / "good.key")
                await seen.synced()
                assert seen.removed() == []
            await runner.cleanup()

    plane.run(story())
