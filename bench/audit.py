"""What it costs to compare a real Open vSwitch's whole table with what it should hold, and to ask for its counts.

Argument: the number of flows (100000).
"""
from __future__ import annotations

from naas_sdn import runtime

runtime.start()

import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402

from bench.clouds import cloud  # noqa: E402
from bench.report import Row, T, machine, peak_memory, table, timed  # noqa: E402
from naas_sdn.engine.compiler import Compiler  # noqa: E402
from naas_sdn.engine.difference import Difference  # noqa: E402
from naas_sdn.engine.replica import Replica  # noqa: E402
from naas_sdn.southbound import codec  # noqa: E402
from tests.support.fleet import southbound, until  # noqa: E402
from tests.support.ovs import DummySwitch  # noqa: E402
from tests.support.topologies import apps  # noqa: E402

FLOWS_A_PORT = 20.3
TIMES = 20


def measure(flows: int) -> list[Row]:
    """All on hv1, the switch that is there."""
    compiler = Compiler(apps(), codec.add_flow)
    compiler.apply(cloud(round(flows / FLOWS_A_PORT), 1))
    replica = Replica(compiler, "hv1")
    with southbound(echo_interval=60) as (south, fleet), DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs:
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: "hv1" in fleet.switches)
        switch = fleet.switches["hv1"]
        plan = replica.plan_from_dump(switch.dump(), switch.meters())
        switch.push(plan.delta)
        replica.acknowledge(plan)
        number = len(plan.delta.add)

        def audit() -> Difference:
            return replica.compare(switch.dump(), switch.meters())

        difference, wall, spent = _cpu(audit)
        assert not difference
        read = switch.dump().seconds
        counts, _, counting = _cpu(lambda: [switch.table_counts() for _ in range(TIMES)])
        meters, _, metering = _cpu(lambda: [switch.meters() for _ in range(TIMES)])
        assert all(found == dict(replica.tables) for found in counts)
        assert all(found == replica.meters for found in meters)
        victim = plan.delta.add[number // 2]
        switch.push(replace(plan.delta, add=(), meters=(), remove=(victim[:2],)))
        assert audit().missing.keys() == {victim[:2]}
    return [
        Row(f"audit of {number:,} flows, CPU", f"{spent:.2f} s", "0.5 s for 100,000"),
        Row("of that, reading the dump", f"{read:.2f} s"),
        Row("an audit, CPU a flow", f"{1e6 * spent / number:.1f} µs"),
        Row("an audit, wall time, the switch's included", f"{wall:.2f} s"),
        Row("asking for the tables' counts, CPU", f"{1000 * counting / TIMES:.2f} ms"),
        Row(f"asking for {len(replica.meters):,} meters, CPU", f"{1000 * metering / TIMES:.2f} ms"),
        Row("resident at the most", peak_memory()),
    ]


def _cpu(work: Callable[[], T]) -> tuple[T, float, float]:
    """What `work` returns, and the seconds by the clock and of this process, sockets and all."""
    before = time.process_time()
    result, wall = timed(work)
    return result, wall, time.process_time() - before


def main() -> None:
    flows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(machine())
    table("Comparing a switch with what it should hold", measure(flows))


if __name__ == "__main__":
    main()
