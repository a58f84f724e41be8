"""From facts to a real Open vSwitch: flows compiled, encoded, pushed and compared a second.

Argument: the number of ports (1000, which makes some 20,000 flows on the one switch that is measured).
"""
from __future__ import annotations

from naas_sdn import runtime

runtime.start()

import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402

from bench.clouds import a_port, cloud  # noqa: E402
from bench.report import Row, machine, peak_memory, table, timed  # noqa: E402
from naas_sdn.engine.compiler import Compiler  # noqa: E402
from naas_sdn.engine.replica import Replica  # noqa: E402
from naas_sdn.pipeline.flow import Flow, SetField, match  # noqa: E402
from naas_sdn.pipeline.program import Delta, FlowMod, Name  # noqa: E402
from naas_sdn.pipeline.tables import HOP, NET, Table  # noqa: E402
from naas_sdn.southbound import codec  # noqa: E402
from naas_sdn.southbound.switch import OpenFlowSwitch  # noqa: E402
from tests.support.fleet import southbound, until  # noqa: E402
from tests.support.ovs import DummySwitch  # noqa: E402
from tests.support.topologies import apps  # noqa: E402


def some_flows(count: int) -> Iterator[Flow]:
    """As a routed port has them."""
    for number in range(count):
        yield Flow(Table.NEXT_HOP, 100, match({NET: number & 0xFFFFFF, HOP: number}), (SetField("eth_dst", number),),
                   Table.L2)


def measure(ports: int) -> list[Row]:
    """Everything is plugged on hv1, the switch that is there."""
    compiler = Compiler(apps(), codec.add_flow)
    facts = list(cloud(ports, 1))
    replica = Replica(compiler, "hv1")

    def compiled() -> dict[Name, FlowMod]:
        """A group is compiled when a switch asks for it."""
        compiler.apply(facts)
        return replica.desired()[0]

    flows, compiling = timed(compiled)
    _, one_more = timed(lambda: compiler.apply(a_port(ports, 0, 200, 1)))
    values = list(some_flows(len(flows)))
    _, encoding = timed(lambda: [codec.add_flow(flow) for flow in values])
    with southbound() as (south, fleet), DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs:
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: "hv1" in fleet.switches)
        switch = fleet.switches["hv1"]
        assert isinstance(switch, OpenFlowSwitch)

        def sync() -> Delta:
            plan = replica.plan_from_dump(switch.dump(), switch.meters())
            switch.push(plan.delta)
            replica.acknowledge(plan)
            return plan.delta

        first, cold = timed(sync)
        again, nothing = timed(sync)
        assert not again, "a second sync had something to do"
        switch.push(Delta(remove=tuple(flows)))
        _, warm = timed(lambda: switch.push(Delta(add=first.add)))
    count = len(first.add)
    return [
        Row(f"compile {ports} ports", f"{len(flows) / compiling:,.0f} flows/s"),
        Row("compile one port more", f"{1000 * one_more:.2f} ms"),
        Row("encode and name", f"{len(flows) / encoding:,.0f} flows/s", "7,500 is os-ken's"),
        Row(f"push {count:,} flows", f"{count / warm:,.0f} flow-mods/s", "50,000"),
        Row(f"full sync of {count:,} flows: dump, compare, push", f"{cold:.2f} s"),
        Row("the same with nothing to do", f"{nothing:.2f} s"),
        Row("resident at the most", peak_memory()),
    ]


def main() -> None:
    ports = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(machine())
    table("From facts to a switch", measure(ports))


if __name__ == "__main__":
    main()
