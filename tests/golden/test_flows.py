"""The flows of every named topology, as text that a person reviews.

A difference is either a mistake or a change of the data plane: look at it, then write the new text with
NAAS_UPDATE_GOLDEN=1.
"""
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from naas_sdn.engine.replica import Replica
from naas_sdn.pipeline.flow import Flow
from naas_sdn.pipeline.tables import REASON, Reason, Table
from tests.support import topologies
from tests.support.compiled import ReadableCompiler

HERE = Path(__file__).parent


def readable(flow: Flow) -> str:
    """ovs-ofctl text with names for tables and reasons."""
    text = re.sub(r"table=(\d+)", lambda m: f"table={Table(int(m[1])).name}", str(flow))
    text = re.sub(r"goto_table:(\d+)", lambda m: f"goto:{Table(int(m[1])).name}", text)
    text = re.sub(r"resubmit\(,(\d+)\)", lambda m: f"resubmit(,{Table(int(m[1])).name})", text)
    return re.sub(rf"set_field:(0x[0-9a-f]+)->{REASON}", lambda m: f"reason:{Reason(int(m[1], 16)).name}", text)


def rendered(topology: str) -> str:
    compiler = ReadableCompiler(topologies.apps())
    compiler.apply(topologies.ALL[topology]())
    assert not compiler.faults
    lines = []
    for host in sorted(compiler.store.elements(topologies.Key("hypervisors", ""))):
        flows, meters = Replica(compiler, host).desired()
        lines.append(f"# {host}")
        lines += [str(meter) for _, meter in sorted(meters.items())]
        lines += [readable(flow) for flow in
                  sorted(map(compiler.flow, flows.values()), key=lambda flow: (flow.table, -flow.priority, str(flow)))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("topology", topologies.ALL)
def test_flows_are_the_reviewed_ones(topology: str) -> None:
    golden = HERE / f"{topology}.txt"
    if os.environ.get("NAAS_UPDATE_GOLDEN"):
        golden.write_text(rendered(topology))
    assert rendered(topology) == golden.read_text()
