"""The loop of one switch, whole: real engine, real database, real Open vSwitch."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.db import status
from naas_sdn.db.load import load_all
from naas_sdn.db.session import Database
from naas_sdn.engine.contract import FlowCount, Identity
from naas_sdn.engine.engine import Engine
from naas_sdn.engine.renderings import Renderings
from naas_sdn.errors import PolicyNotAuthorized
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact, Link
from naas_sdn.pipeline.flow import Flow, match
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import IN, Reason, Table
from naas_sdn.service import hypervisors
from naas_sdn.southbound import codec
from naas_sdn.southbound import constants as of
from naas_sdn.southbound.connection import Connection
from naas_sdn.southbound.switch import OpenFlowSwitch
from tests.support import topologies
from tests.support.fleet import listening, until
from tests.support.ovs import DummySwitch


@dataclass(frozen=True, slots=True)
class Cloud:
    """One hypervisor, hv1, in step with the facts of `topologies.routed`."""

    engine: Engine
    database: Database
    ovs: DummySwitch

    def flows(self) -> list[str]:
        """Sorted, without what counts."""
        return sorted(
            " ".join(part for part in line.split() if not part.startswith(("duration", "n_packets", "n_bytes")))
            for line in self.ovs.ofctl("dump-flows").splitlines() if "actions" in line)


class Refused:
    """An app whose flow for port21 names a meter that nobody makes, as long as the port has port security."""

    name = "refused"
    tables = frozenset((Table.ROUTER_IN,))
    kinds = frozenset(("port",))
    reasons: frozenset[Reason] = frozenset()

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        if isinstance(fact, Attachment):
            yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)

    def compile(self, view: View, scope: Scope) -> Program:
        port = view.port(scope.id)
        if port is None:
            return Program()
        bad = scope.id == "port21" and port.port_security
        return Program((Flow(Table.ROUTER_IN, 7, match({IN: port.key}), meter=4711 if bad else None),))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []


@contextmanager
def running(engine: Engine, database: Database) -> Iterator[Cloud]:
    """hv1 connected and in step."""
    engine.apply(topologies.routed())
    with (listening(engine) as south, DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs):
        for number in (21, 41):
            ovs.add_port(f"tap{number}", 10 + number)
        ovs.add_port("vxlan0", 1, type="vxlan", remote_ip="flow", key="flow")
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: engine.switches() and in_step(engine, ovs))
        yield Cloud(engine, database, ovs)


@pytest.fixture
def cloud(database: Database) -> Iterator[Cloud]:
    with running(Engine(database, topologies.apps(), codec.add_flow), database) as made:
        yield made


def in_step(engine: Engine, ovs: DummySwitch) -> bool:
    """All that hv1 should hold is there, and nothing else."""
    wanted = {f"0x{cookie:x}" for group in engine.compiler.reach.subscriptions("hv1")
              for program in engine.compiler.group(group).programs.values() for _, cookie in program.names()}
    held = [part.removeprefix("cookie=").rstrip(",") for line in ovs.ofctl("dump-flows").splitlines()
            for part in line.split() if part.startswith("cookie=")]
    return sorted(held) == sorted(wanted)


@pytest.mark.parametrize("interference", [
    ("mod-flows", "table=60,actions=drop"),
    ("mod-flows", "table=90,actions=resubmit(,0)"),
    ("add-flow", "table=60,priority=999,actions=drop"),
    ("add-flow", "cookie=0x4e00000000000001,table=60,priority=999,actions=drop"),
    ("del-flows", "table=25"),
    ("del-flows",),
])
def test_what_somebody_else_changes_is_undone_at_once(cloud: Cloud, interference: tuple[str, ...]) -> None:
    """mod-flows leaves the cookie, so names alone would not tell."""
    before = cloud.flows()
    cloud.ovs.ofctl(*interference)
    until(lambda: cloud.flows() == before)


def test_an_audit_finds_what_no_monitor_told(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look learns how the switch shows its flows; the second one finds a difference."""
    before = cloud.flows()
    switch = switch_of(cloud)
    looks: list[list[FlowCount]] = []
    look = switch.dump
    monkeypatch.setattr(switch, "dump", lambda: looks.append(look()) or looks[-1])
    switch._connection.on_foreign_change = None
    cloud.engine.changed_behind(switch, ())
    until(lambda: looks)
    cloud.ovs.ofctl("mod-flows", "table=60,actions=drop")
    assert cloud.flows() != before
    cloud.engine.changed_behind(switch, ())
    until(lambda: cloud.flows() == before)


def switch_of(cloud: Cloud) -> OpenFlowSwitch:
    [switch] = cloud.engine.switches()
    assert isinstance(switch, OpenFlowSwitch)
    return switch


def deaf_to(kind: int, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch's messages of this type are lost on the way."""
    handle = connection._handle
    monkeypatch.setattr(connection, "_handle", lambda frame: None if frame[1] == kind else handle(frame))


@pytest.fixture
def audited(database: Database) -> Iterator[Cloud]:
    """As `cloud`, with an audit whenever nothing has happened for a while."""
    with running(Engine(database, topologies.apps(), codec.add_flow, audit=0.1), database) as made:
        yield made


def test_a_lost_port_status_heals_at_the_next_audit(audited: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    store = audited.engine.compiler.store
    deaf_to(of.PORT_STATUS, switch_of(audited)._connection, monkeypatch)
    audited.ovs.add_port("tap99", 99)
    until(lambda: store.fact(Key("link", ("hv1", "tap99"))) == Link("hv1", "tap99", 99))
    audited.ovs.vsctl("del-port", "tap21")
    until(lambda: store.fact(Key("link", ("hv1", "tap21"))) is None)
    until(lambda: in_step(audited.engine, audited.ovs))


def test_a_flow_that_went_unheard_is_back_at_the_next_audit(audited: Cloud) -> None:
    before = audited.flows()
    switch_of(audited)._connection.on_foreign_change = None
    audited.ovs.ofctl("del-flows", "table=60")
    until(lambda: audited.flows() == before)


def test_ours_are_not_foreign(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """A controller that took its own flow-mods for another's would never rest."""
    cloud.engine.apply([(Key("vif", "port21"), None)])
    until(lambda: in_step(cloud.engine, cloud.ovs))
    cloud.engine.apply(topologies.routed())
    until(lambda: in_step(cloud.engine, cloud.ovs))
    assert "somebody else" not in caplog.text


def test_a_rendering_is_learned_once_and_drift_is_told_once() -> None:
    def seen(cookie: int, rendering: int) -> FlowCount:
        return FlowCount(60, cookie, 0, 0, 0.0, rendering)

    renderings = Renderings()
    assert renderings.drifted([seen(1, 10), seen(2, 20)], ()) == set()
    assert renderings.drifted([seen(1, 10), seen(2, 21), seen(3, 30)], ()) == {(60, 2)}
    # What was written over is learned anew.
    assert renderings.drifted([seen(1, 10), seen(2, 22), seen(3, 30)], ()) == set()
    # So is a suspect, and what was away.
    assert renderings.drifted([seen(2, 22), seen(3, 30)], {(60, 3)}) == {(60, 3)}
    assert renderings.drifted([seen(1, 11), seen(2, 22), seen(3, 31)], ()) == set()


def test_a_changed_register_is_asked_again(cloud: Cloud) -> None:
    """Whoever is not registered any more is cut off, and let in once he is."""
    [registered] = [fact for key, fact in topologies.routed() if key == Key("hypervisor", "hv1")]
    cloud.engine.apply([(Key("hypervisor", "hv1"), None)])
    until(lambda: cloud.engine.switches() == [])
    cloud.engine.apply([(Key("hypervisor", "hv1"), registered)])
    until(lambda: len(cloud.engine.switches()) == 1 and in_step(cloud.engine, cloud.ovs))


def test_a_laboratory_registers_who_comes(database: Database) -> None:
    """By dp_desc; the dispatcher takes the register to the engine, and the switch comes again."""
    engine = Engine(database, topologies.apps(), codec.add_flow, auto_register=True)
    with listening(engine) as south, DummySwitch(7, "hv7;vtep=192.0.2.7") as ovs:
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: registered(database))
        assert registered(database) == [("hv7", "0000000000000007", "192.0.2.7")]
        with database.read() as session:
            engine.apply(list(load_all(session)))
        until(lambda: len(engine.switches()) == 1)
    with pytest.raises(PolicyNotAuthorized, match="VTEP"):
        engine.admit(Identity(8, "hv8", None, "192.0.2.8"))


def registered(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as session:
        return [(row.name, row.datapath_id, row.vtep) for row in hypervisors.listed(session)]


def test_a_refused_flow_is_that_object_s_error_until_it_is_taken_and_the_others_go_on(database: Database) -> None:
    apps = [app for app in topologies.apps() if app.name != "l3router"]
    engine = Engine(database, [*apps, Refused()], codec.add_flow)
    engine.apply(topologies.routed())
    with database.write() as session:
        status.report_error(session, "port", "port31", "hv1", "what the last controller saw")

    def errors() -> dict[str, str]:
        with database.read() as session:
            return status.errors_of(session, "port", ["port21", "port31", "port41"])

    with listening(engine) as south, DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs:
        ovs.add_port("tap21", 31)
        ovs.add_port("tap41", 51)
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: "table=45, n_packets=0, n_bytes=0, priority=7,reg1=0x411" in ovs.ofctl("dump-flows"))
        assert "priority=7,reg1=0x3fd" not in ovs.ofctl("dump-flows")
        until(lambda: errors() and errors().keys() == {"port21"})
        assert "hv1" in errors()["port21"]
        engine.apply(topologies.vm(21, 2, 1, security=False))
        until(lambda: "priority=7,reg1=0x3fd" in ovs.ofctl("dump-flows"))
        until(lambda: errors() == {})
        engine.apply(topologies.vm(21, 2, 1))
        until(errors)
    until(lambda: errors() == {})
