"""What the OpenFlow plugins bring to the engine, as configured."""
from __future__ import annotations

import pytest

from naas_sdn import config
from naas_sdn.apps.contract import App
from naas_sdn.pipeline.tables import Table
from naas_sdn.plugins.openflow import OpenFlow
from naas_sdn.plugins.registry import load_plugins
from tests.support import topologies
from tests.support.compiled import ReadableCompiler

LAYER_3 = {Table.SERVICES, Table.ARP, Table.ROUTER_IN, Table.ROUTE, Table.NEXT_HOP}


def configured(l3: str) -> list[App]:
    conf = config.load(files=[])
    conf.set_override("l3", l3, "plugins")
    return [app for plugin in load_plugins(conf).realisers() if isinstance(plugin, OpenFlow) for app in plugin.apps()]


@pytest.mark.parametrize(("l3", "routed"), [("openflow", True), ("", False)])
def test_without_a_layer_3_plugin_no_layer_3_flow_exists(l3: str, *, routed: bool) -> None:
    """Whatever facts there are; the tables' misses, at priority 0, let everything through."""
    compiler = ReadableCompiler(configured(l3))
    compiler.apply(topologies.routed())
    tables = {flow.table for group in compiler.known() for program in compiler.group(group).programs.values()
              for flow in compiler.flows(program) if flow.priority}
    assert (tables & LAYER_3 == LAYER_3) is routed
    assert bool(tables & LAYER_3) is routed
    assert {Table.CLASSIFY, Table.GUARD, Table.L2, Table.OUTPUT} <= tables
