"""`python -m tests.bench [--only NAME ...] [--quick] [--json FILE]`: measure the budgets of design.md 9.

Figures are reported beside their budgets and never fail the run. Needs root: the path runs in network namespaces.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.bench import (
    allocation,
    bgp,
    cluster,
    drain,
    failover,
    kube_source,
    kube_writes,
    layer2_plan,
    plan,
    replies,
    scale,
    storm,
    wire,
)
from tests.bench.machine import this_machine
from tests.bench.report import print_table, write_json
from tests.bench.rows import Row, Scope

BENCHMARKS: Mapping[str, Callable[[Scope], Iterator[Row]]] = {
    "allocation": allocation.measure,
    "plan": plan.measure,
    "layer2-plan": layer2_plan.measure,
    "replies": replies.measure,
    "failover": failover.measure,
    "wire": wire.measure,
    "bgp": bgp.measure,
    "drain": drain.measure,
    "storm": storm.measure,
    "scale": scale.measure,
    "kube-writes": kube_writes.measure,
    "kube-source": kube_source.measure,
    "cluster": cluster.measure,
}


def main() -> int:
    arguments = _arguments()
    # What is started is ended in `finally`; a plain SIGTERM would skip that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = this_machine()
    rows: list[Row] = []
    try:
        for name in arguments.only or BENCHMARKS:
            _progress(f"{name} ...")
            for row in BENCHMARKS[name](Scope(quick=arguments.quick)):
                _progress(f"  {row.name}: {row.figure:.4g} {row.unit}")
                rows.append(row)
    except KeyboardInterrupt:
        _progress("interrupted; this is what was measured until then")
        return 130
    finally:
        print_table(machine, rows)
        if arguments.json:
            write_json(arguments.json, machine, rows)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the budgets of design.md 9.")
    parser.add_argument("--only", action="append", choices=sorted(BENCHMARKS), help="run this one; may be repeated")
    parser.add_argument("--quick", action="store_true", help="few repetitions and the smaller sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine and rows there, too")
    return parser.parse_args()


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
