"""What is remembered of released addresses survives the way through a ConfigMap, and is written now and then."""

from ipaddress import ip_address
from pathlib import Path

from orchestrator.config.model import Pool
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.released import Release
from orchestrator.decide.space import Tenancy
from orchestrator.net.addresses import parse_range
from orchestrator.resources.core import ConfigMap
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.runtime.released import (
    CONFIG_MAP_NAME,
    FIELD,
    LONGEST_TEXT,
    ReleasedRecord,
    from_config_map,
    to_config_map,
    to_text,
)
from orchestrator.sources.manifests.state import ManifestsSink, StateFolder

NAMESPACE = "metallb-system"
NOW = 1_800_000_000.0
WEB = ObjectKey("shop", "web")


def release(address: str, at: float = NOW, service: ObjectKey = WEB) -> Release:
    return Release(address=ip_address(address), service=service, at=at)


def test_reading_inverts_writing() -> None:
    releases = (
        release("192.0.2.1", NOW - 1.25),
        release("2001:db8::1", NOW - 3),
        release("192.0.2.1", NOW - 9, ObjectKey("a", "b")),
    )
    assert from_config_map(to_config_map(to_text(releases), NAMESPACE)) == releases


def test_nothing_is_remembered_without_a_config_map() -> None:
    assert from_config_map(None) == ()


def test_line_that_nobody_understands_is_left_out() -> None:
    lines = [
        "192.0.2.1 1.5 shop/web",
        "",
        "x",
        "192.0.2.2 soon shop/web",
        "192.0.2 1 a/b",
        "192.0.2.3 1 a",
        "192.0.2.4 nan a/b",
    ]
    config_map = ConfigMap(
        metadata=ObjectMeta(name=CONFIG_MAP_NAME, namespace=NAMESPACE), data={FIELD: "\n".join(lines)}
    )
    assert from_config_map(config_map) == (release("192.0.2.1", 1.5),)


def test_oldest_are_dropped_where_a_config_map_ends() -> None:
    long_name = ObjectKey("n" * 63, "s" * 63)
    releases = [Release(address=ip_address((0x2001 << 112) + n), service=long_name, at=NOW + n) for n in range(9_000)]
    text = to_text(releases)
    kept = from_config_map(to_config_map(text, NAMESPACE))
    assert LONGEST_TEXT - 300 < len(text) <= LONGEST_TEXT
    assert list(kept) == releases[: -len(kept) - 1 : -1]


# Writing ------------------------------------------------------------------------------------------------------------


def ledger() -> Ledger:
    made = Ledger(cool_down_s=60)
    made.set_pools(
        {
            "lan": Pool(
                name="lan", origin=ObjectRef("IPAddressPool", NAMESPACE, "lan"), ranges=(parse_range("192.0.2.0/28"),)
            )
        }
    )
    made.pass_time(NOW)
    return made


def let_go(of: Ledger, address: str) -> None:
    of.hold(Assignment(service=WEB, pool="lan", addresses=(ip_address(address),), tenancy=Tenancy()))
    of.release(WEB)


def written(state: Path) -> str:
    path = StateFolder(state).file(ObjectRef("ConfigMap", NAMESPACE, CONFIG_MAP_NAME))
    return path.read_text() if path.exists() else ""


async def test_first_change_is_written_at_once_and_the_next_a_little_later(tmp_path: Path) -> None:
    record, held = ReleasedRecord(ManifestsSink(tmp_path), NAMESPACE), ledger()
    assert record.patience(0) is None
    let_go(held, "192.0.2.1")
    record.changed()
    assert record.patience(0) == 0
    await record.work(held, 0)
    assert "192.0.2.1" in written(tmp_path)
    let_go(held, "192.0.2.2")
    record.changed()
    await record.work(held, 1)
    assert "192.0.2.2" not in written(tmp_path)
    wait = record.patience(1)
    assert wait is not None
    await record.work(held, 1 + wait)
    assert "192.0.2.2" in written(tmp_path)
    assert record.patience(9) is None


async def test_what_was_read_is_not_written_again(tmp_path: Path) -> None:
    held = ledger()
    let_go(held, "192.0.2.1")
    record = ReleasedRecord(ManifestsSink(tmp_path), NAMESPACE)
    assert record.read(to_config_map(to_text(held.releases), NAMESPACE)) == held.releases
    record.changed()
    await record.work(held, 0)
    assert not written(tmp_path)


async def test_what_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file where the folder should be")
    record, held = ReleasedRecord(ManifestsSink(state), NAMESPACE), ledger()
    let_go(held, "192.0.2.1")
    record.changed()
    await record.work(held, 0)
    wait = record.patience(0)
    assert wait is not None
    assert wait > 0
    state.unlink()
    await record.work(held, wait)
    assert "192.0.2.1" in written(state)
