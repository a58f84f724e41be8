"""From facts to a real Open vSwitch: flows compiled, encoded, pushed and compared a second.

Argument: the number of ports (5000, which makes some 100,000 flows on the one switch that is measured).
"""
from __future__ import annotations

from naas_sdn import runtime

runtime.start()

import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402

from bench.clouds import a_port, cloud  # noqa: E402
from bench.report import Row, machine, peak_memory, resident, table, timed  # noqa: E402
from naas_sdn.engine.compiler import Compiler  # noqa: E402
from naas_sdn.engine.replica import Replica  # noqa: E402
from naas_sdn.pipeline.flow import Flow, SetField, match  # noqa: E402
from naas_sdn.pipeline.program import Delta  # noqa: E402
from naas_sdn.pipeline.tables import HOP, NET, Table  # noqa: E402
from naas_sdn.southbound import codec  # noqa: E402
from naas_sdn.southbound.switch import OpenFlowSwitch  # noqa: E402
from tests.support.fleet import southbound, until  # noqa: E402
from tests.support.ovs import DummySwitch  # noqa: E402
from tests.support.topologies import apps  # noqa: E402

ENCODED = 20_000


def some_flows(count: int) -> Iterator[Flow]:
    """As a routed port has them."""
    for number in range(count):
        yield Flow(Table.NEXT_HOP, 100, match({NET: number & 0xFFFFFF, HOP: number}), (SetField("eth_dst", number),),
                   Table.L2)


def measure(ports: int) -> list[Row]:
    """Everything is plugged on hv1, the switch that is there."""
    imported = resident()
    compiler = Compiler(apps(), codec.add_flow)
    replica = Replica(compiler, "hv1")

    def compile_all() -> None:
        compiler.apply(cloud(ports, 1))
        for group in replica.groups():
            compiler.group(group)

    _, compiling = timed(compile_all)
    compiled = resident()
    _, one_more = timed(lambda: compiler.apply(a_port(ports, 0, 200, 1)))
    with southbound() as (south, fleet), DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs:
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: "hv1" in fleet.switches)
        switch = fleet.switches["hv1"]
        assert isinstance(switch, OpenFlowSwitch)

        def sync() -> int:
            plan = replica.plan_from_dump(switch.dump(), switch.meters())
            switch.push(plan.delta)
            replica.acknowledge(plan)
            return len(plan.delta.add) + len(plan.delta.remove)

        count, cold = timed(sync)
        again, nothing = timed(sync)
        assert not again, "a second sync had something to do"
        # What follows is the bench's own, and keeps more than a controller would.
        most, flows = peak_memory(), tuple(replica.desired()[0].values())
        switch.push(Delta(remove=tuple(flow[:2] for flow in flows)))
        before = time.process_time()
        _, warm = timed(lambda: switch.push(Delta(add=flows)))
        used = time.process_time() - before
    values = list(some_flows(ENCODED))
    _, encoding = timed(lambda: [codec.add_flow(flow) for flow in values])
    return [
        Row(f"compile {ports} ports", f"{count / compiling:,.0f} flows/s"),
        Row("compile one port more", f"{1000 * one_more:.2f} ms"),
        Row("encode and name", f"{ENCODED / encoding:,.0f} flows/s", "7,500 is os-ken's"),
        Row(f"push {count:,} flows", f"{count / warm:,.0f} flow-mods/s", "60,000"),
        Row("of which this process's CPU", f"{100 * used / warm:.0f} %"),
        Row(f"full sync of {count:,} flows: dump, compare, push", f"{cold:.2f} s", "3 s for 100,000"),
        Row("the same with nothing to do", f"{nothing:.2f} s"),
        Row("resident: imports, and then all compiled", f"{imported:.0f} MB, {compiled:.0f} MB"),
        Row("resident at the most, while in sync", most, "200 MB for 100,000"),
    ]


def main() -> None:
    ports = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    print(machine())
    table("From facts to a switch", measure(ports))


if __name__ == "__main__":
    main()
