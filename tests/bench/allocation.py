"""Who gets which address: the ledger in this process, then a controller over a folder. CPU time unless it says otherwise.

Everything goes through `Allocator`, as in the controller, so a figure holds sorting, adoption and whoever waits. A
Service that comes and goes has a new name each time, and a second passes: what it left behind rests as it would.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from orchestrator.config.model import AddressQuota, Config, Pool, Reservation
from orchestrator.decide.allocator import Allocator, Converged
from orchestrator.decide.convergence import Outcome, Rules
from orchestrator.decide.ledger import Ledger
from orchestrator.lab import probes
from orchestrator.net.addresses import IpFamily, parse_range
from orchestrator.resources.core import Service
from orchestrator.resources.meta import ObjectKey
from tests.bench import manifests
from tests.bench.path import START_LIMIT_S, LogLine, logged_in
from tests.bench.plan import cpu_ms
from tests.bench.processes import cpu_s
from tests.bench.rows import Row, Scope, row_of
from tests.support import objects

STARTS = (1000, 5000)
EXISTING = (0, 1000, 5000, 10_000)
MANY = 1000
COOL_DOWN_S = 60.0
PER_THOUSAND = "own CPU <= 100 per 1000"
WIDE = "10.0.0.0/8"
FIRST = IPv4Address("10.0.0.0")
FULL = 0.99


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the ledger's rows, then the process'."""
    yield from _starts(scope)
    for existing in scope.sizes(*EXISTING):
        yield _newcomer(scope, f"one Service more, {existing} existing", _wide(), _held(existing))
    yield from _pools(scope)
    yield from _rules(scope)
    yield from _sharing(scope)
    yield from _waiting(scope)
    for size in STARTS[:1] if scope.quick else STARTS:
        yield from _process(size)


# --- the ledger -------------------------------------------------------------------------------------------------------


class Stage:
    """An allocator over some Services, all of which it has looked at once."""

    def __init__(self, config: Config, services: Collection[Service]) -> None:
        self.services = {service.metadata.key: service for service in services}
        self.ledger = Ledger(cool_down_s=COOL_DOWN_S)
        self._allocator = Allocator(self.ledger, Rules())
        self._now = 0.0
        self._allocator.configure(config)
        self._allocator.adopt(self.services.values())
        self.round(self.services)

    @property
    def pending(self) -> Mapping[ObjectKey, object]:
        return self._allocator.pending

    def round(self, dirty: Collection[ObjectKey]) -> dict[ObjectKey, Outcome]:
        """Converge these Services and return what became of each that is decided on the way."""
        steps = self._allocator.round(self.services, dirty)
        return {step.service.metadata.key: step.result.outcome for step in steps if isinstance(step, Converged)}

    def come_us(self, service: Service, wanted: Outcome = Outcome.ASSIGNED) -> float:
        """Microseconds until a new Service is decided on."""
        key = service.metadata.key
        self.services[key] = service
        started = time.process_time()
        outcomes = self.round((key,))
        took = (time.process_time() - started) * 1e6
        assert outcomes[key] is wanted, (outcomes[key], self.pending.get(key))
        return took

    def go_us(self, key: ObjectKey) -> float:
        """Microseconds until a Service that went is forgotten, and whoever waits was asked again; a second passes."""
        self._now += 1.0
        self._allocator.pass_time(self._now)
        del self.services[key]
        started = time.process_time()
        self.round((key,))
        return (time.process_time() - started) * 1e6


def _config(*pools: Pool, reservations: Collection[Reservation] = (), quotas: Collection[AddressQuota] = ()) -> Config:
    return Config(
        pools=objects.pools(*pools),
        reservations={each.name: each for each in reservations},
        quotas={each.name: each for each in quotas},
    )


def _wide() -> Config:
    return _config(objects.pool("many", WIDE))


def _reservation(name: str, *ranges: str, service: ObjectKey | None = None) -> Reservation:
    parts = tuple(parse_range(text) for text in ranges)
    key = service or objects.key("somebody-else")
    return Reservation(name=name, origin=objects.ref("AddressReservation", name), ranges=parts, service=key)


def _service(name: str, **fields: object) -> Service:
    return objects.service(name, **{"cluster_ip": "10.96.0.1", **fields})  # type: ignore[arg-type]  # as given


def _new(count: int) -> list[Service]:
    return [_service(f"many-{number:05}") for number in range(count)]


def _held(count: int, first: IPv4Address = FIRST) -> list[Service]:
    return [_service(f"many-{number:05}", held=[str(first + number)]) for number in range(count)]


def _starts(scope: Scope) -> Iterator[Row]:
    """What the controller does first: adopt, then look at every Service."""
    for size in scope.sizes(*STARTS, 10_000):
        for what, services in (("without addresses", _new(size)), ("with addresses", _held(size))):
            samples = []
            for _ in range(scope.times(5)):
                stages: list[Stage] = []
                samples.append(cpu_ms(lambda: stages.append(Stage(_wide(), services))) * 1000 / size)  # noqa: B023  # called at once
                assert stages[0].ledger.usage("many", IpFamily.IPV4).assigned == size
            name = f"start over {size} Services {what}, per 1000"
            yield row_of(name, samples, "ms", budget=PER_THOUSAND)


def _newcomer(scope: Scope, name: str, config: Config, services: Collection[Service], **fields: object) -> Row:
    """A Service comes and goes, again and again."""
    stage = Stage(config, services)
    return row_of(name, _visits_us(scope, stage, **fields), "us")


def _visits_us(scope: Scope, stage: Stage, **fields: object) -> list[float]:
    samples = []
    for turn in range(scope.times(1000)):
        visitor = _service(f"visitor-{turn}", **fields)
        samples.append(stage.come_us(visitor))
        stage.go_us(visitor.metadata.key)
    return samples


def _pools(scope: Scope) -> Iterator[Row]:
    """10 000 Services hold addresses, and pools are large, full, or in pieces. What fills one is reserved for others."""
    held, behind = _held(10_000), FIRST + 10_000
    last = FIRST + int(parse_range(WIDE).size * FULL)
    full = _config(objects.pool("many", WIDE), reservations=[_reservation("full", f"{behind}-{last}")])
    yield _newcomer(scope, "one more in a /8, 99 % full", full, held)
    six = _config(objects.pool("six", "2001:db8::/64"))
    in_six = [_service(f"many-{each:05}", cluster_ip="fd00::1", held=[f"2001:db8::{each:x}"]) for each in range(10_000)]
    yield _newcomer(scope, "one more in an IPv6 /64, 10 000 existing", six, in_six, cluster_ip="fd00::1")
    pieces = [f"{FIRST + 2 * number}/32" for number in range(MANY)]
    for existing in (0, MANY - 1):
        services = [_service(f"many-{each:05}", held=[pieces[each].removesuffix("/32")]) for each in range(existing)]
        name = f"one more in a pool of {MANY} single addresses, {existing} existing"
        yield _newcomer(scope, name, _config(objects.pool("pieces", *pieces)), services)
    many = [objects.pool(f"pool-{each:04}", f"{FIRST + 2 * each}/32") for each in range(MANY)]
    yield _newcomer(scope, f"one more, {MANY} pools of one address, all but one in use", _config(*many), services)


def _rules(scope: Scope) -> Iterator[Row]:
    reservations = [
        _reservation(f"kept-{each:04}", f"{FIRST + 2 * each}-{FIRST + 2 * each}", service=objects.key(f"named-{each}"))
        for each in range(MANY)
    ]
    kept = _config(objects.pool("many", WIDE), reservations=reservations)
    yield _newcomer(scope, f"one more among {MANY} reservations, 5000 existing", kept, _held(5000, FIRST + 10_000))
    stage = Stage(kept, _held(5000, FIRST + 10_000))
    samples = []
    for turn in range(scope.times(1000)):
        named = _service(f"named-{turn % MANY}")
        samples.append(stage.come_us(named))
        stage.go_us(named.metadata.key)
    yield row_of(f"one with an address reserved for it, {MANY} reservations", samples, "us")
    quotas = [
        AddressQuota(name=f"quota-{each}", origin=objects.ref("AddressQuota", f"quota-{each}"), limits=limits)
        for each, limits in enumerate([{IpFamily.IPV4: 20_000}] * 100)
    ]
    limited = _config(objects.pool("many", WIDE), quotas=quotas)
    yield _newcomer(scope, "one more under 100 quotas, 5000 existing", limited, _held(5000))


def _sharing(scope: Scope) -> Iterator[Row]:
    """All on one address, as the same annotation on all of them asks for."""
    one = _config(objects.pool("one", "10.0.0.0/32"))
    shared = {"annotations": {"metallb.io/allow-shared-ip": "together"}}
    services = [_service(f"many-{each:05}", ports=(each + 1,), **shared) for each in range(MANY)]
    held = [_service(f"many-{each:05}", ports=(each + 1,), held=["10.0.0.0"], **shared) for each in range(MANY)]
    for what, present in (("get", services), ("have", held)):
        samples = [cpu_ms(lambda: Stage(one, present)) for _ in range(scope.times(5))]  # noqa: B023  # called at once
        yield row_of(f"start over {MANY} Services that {what} one shared address", samples, "ms", budget=PER_THOUSAND)
    yield _newcomer(scope, f"one more on an address that {MANY} share", one, held, ports=(MANY + 1,), **shared)
    stage = Stage(one, held)
    refused = []
    for turn in range(scope.times(100)):
        visitor = _service(f"visitor-{turn}", ports=(1,), **shared)
        refused.append(stage.come_us(visitor, Outcome.REFUSED))
        stage.go_us(visitor.metadata.key)
    yield row_of(f"one refused by an address that {MANY} share, and told why", refused, "us")


def _waiting(scope: Scope) -> Iterator[Row]:
    """A full pool, and many that wait for an address of it."""
    config = _config(objects.pool("full", "10.0.0.0/24"))
    waiting = [_service(f"waiting-{number:05}") for number in range(MANY)]
    stage = Stage(config, [*_held(256), *waiting])
    assert len(stage.pending) == MANY
    refused = []
    for turn in range(scope.times(100)):
        visitor = _service(f"visitor-{turn}")
        refused.append(stage.come_us(visitor, Outcome.REFUSED))
        stage.go_us(visitor.metadata.key)
    yield row_of(f"one more in a full pool, {MANY} wait", refused, "us")
    freed = [stage.go_us(objects.key(f"many-{turn:05}")) / 1000 for turn in range(scope.times(100))]
    assert len(stage.pending) == MANY - len(freed)
    yield row_of(f"one goes while {MANY} wait for its address", freed, "ms")


# --- the process ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """A controller that has looked at everything once: when, after its start, and with how much CPU time."""

    took_s: float
    cpu_s: float


def _process(size: int) -> Iterator[Row]:
    """The folder has so many Services, first without addresses, then with those of the first run."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifests").mkdir()
        text = "---\n".join([manifests.CONFIGURATION, *(manifests.service(f"many-{each:05}") for each in range(size))])
        (Path(folder) / "manifests" / "all.yaml").write_text(text)
        for what in ("without addresses", "with addresses"):
            with _controller(Path(folder)) as run:
                yield Row(name=f"controller start over {size} Services {what}", figure=run.took_s, unit="s")
                yield Row(name=f"its CPU until then, {size} Services {what}", figure=run.cpu_s, unit="s")


@contextmanager
def _controller(folder: Path) -> Iterator[_Run]:
    command = [sys.executable, "-m", "orchestrator", "controller", "--source", f"manifests:{folder / 'manifests'}"]
    flags = ["--state", str(folder / "state"), "--port", "0", "--health-probe-port", "0"]
    log = folder / "controller.log"
    started = time.time()
    with log.open("w") as output:
        process = subprocess.Popen([*command, *flags], stdout=output, stderr=output)
    try:
        found: list[LogLine] = probes.until(
            lambda: logged_in(log, "converged"), "a controller that has looked at everything", limit_s=START_LIMIT_S
        )
        yield _Run(found[0].instant - started, cpu_s(process.pid))
    finally:
        process.terminate()
        process.wait()
