"""The loop of one switch, whole: real engine, real database, real Open vSwitch."""
from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.db import status
from naas_sdn.db.load import load_all
from naas_sdn.db.session import Database
from naas_sdn.engine.audit import Cause
from naas_sdn.engine.contract import Identity, Refused
from naas_sdn.engine.difference import What
from naas_sdn.engine.doubts import LIES, LONGEST, PAUSE
from naas_sdn.engine.engine import Engine
from naas_sdn.engine.session import METERS, Session
from naas_sdn.errors import PolicyNotAuthorized
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact, Link, Port
from naas_sdn.pipeline.flow import Flow, match
from naas_sdn.pipeline.program import Delta, Program
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


class Refusing:
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


def switch_of(cloud: Cloud) -> OpenFlowSwitch:
    [switch] = cloud.engine.switches()
    assert isinstance(switch, OpenFlowSwitch)
    return switch


def deaf(cloud: Cloud) -> Session:
    """hv1's loop, to which the flow monitor tells nothing any more."""
    switch_of(cloud)._connection.on_foreign_change = None
    return cloud.engine.sessions()["hv1"]


def test_an_audit_finds_what_no_monitor_told(cloud: Cloud) -> None:
    """At its first look, though the cookie is ours and no count differs."""
    before, session = cloud.flows(), deaf(cloud)
    cloud.ovs.ofctl("mod-flows", "table=60,actions=drop")
    assert cloud.flows() != before
    session.check()
    assert session.audit().wait(10) > 0
    assert cloud.flows() == before
    assert set(cloud.engine.audit_log.faults) == {(What.CHANGED, Cause.AUDIT)}


@pytest.mark.parametrize(("interference", "what"), [
    (("del-flows", "table=60"), What.MISSING),
    (("add-flow", "table=60,priority=999,actions=drop"), What.FOREIGN),
    (("del-meter", "meter=slowpath"), What.METER),
    (("mod-meter", "meter=slowpath,pktps,burst,stats,bands=type=drop rate=7 burst_size=7"), What.METER),
    (("add-meter", "meter=4000,kbps,bands=type=drop rate=7"), What.FOREIGN_METER),
])
def test_a_count_finds_what_no_monitor_told(cloud: Cloud, interference: tuple[str, ...], what: What) -> None:
    session = deaf(cloud)
    flows, meters = cloud.flows(), cloud.ovs.ofctl("dump-meters")
    cloud.ovs.ofctl(*interference)
    assert (cloud.flows(), cloud.ovs.ofctl("dump-meters")) != (flows, meters)
    for _ in range(METERS):
        session.check()
        until(lambda: not session._checking)
    until(lambda: (cloud.flows(), sorted(cloud.ovs.ofctl("dump-meters").splitlines()))
          == (flows, sorted(meters.splitlines())))
    assert set(cloud.engine.audit_log.faults) == {(what, Cause.COUNT)}


def test_a_fault_is_one_line_of_the_audit_log_and_a_first_look_is_none(
        cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    assert not [record for record in caplog.records if record.name == "naas_sdn.audit"]
    cookie = next(part for line in cloud.flows() if "table=60" in line for part in line.split() if "cookie" in part)
    cloud.ovs.ofctl("del-flows", f"{cookie.rstrip(',')}/-1,table=60")
    until(lambda: in_step(cloud.engine, cloud.ovs) and cloud.engine.audit_log.faults)
    [line] = [json.loads(record.getMessage()) for record in caplog.records if record.name == "naas_sdn.audit"]
    assert (line["hypervisor"], line["fault"], line["found_by"], line["table"], line["repaired"]) == (
        "hv1", "flow missing", "monitor", 60, True)
    assert f"cookie={line['cookie']}" == cookie.rstrip(",")
    assert line["object"]


def test_a_switch_that_keeps_nothing_is_asked_ever_less_and_accused(
        cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """It acknowledges all; ordinary changes go on; once it keeps what it is told, nothing is left of it."""
    session = deaf(cloud)
    [switch] = cloud.engine.switches()
    push, pushed = switch.push, []
    monkeypatch.setattr(switch, "push", pushed.append)
    cloud.ovs.ofctl("del-flows", "table=60")

    def accused() -> bool:
        session.check()
        with cloud.database.read() as session_:
            return bool(status.errors_of(session_, "hypervisor", ["hv1"]))

    until(accused)
    assert LIES <= session._doubts.strikes < 8
    assert PAUSE < (session._doubts.wait or LONGEST) <= LONGEST
    monkeypatch.setattr(switch, "push", push)
    until(lambda: not accused() and in_step(cloud.engine, cloud.ovs), 30)


def test_a_flow_refused_without_a_word_is_found_by_halves(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    [switch] = cloud.engine.switches()
    push = switch.push
    [port] = [fact for key, fact in topologies.routed() if key == Key("port", "port21")]
    named = f"{port.mac:012x}" if isinstance(port, Port) else ""

    def surly(delta: Delta) -> None:
        if any(bytes.fromhex(named) in flow.wire for flow in delta.add):
            raise Refused((), "bundle failed")
        push(delta)

    monkeypatch.setattr(switch, "push", surly)
    cloud.ovs.ofctl("del-flows")
    session = cloud.engine.sessions()["hv1"]
    until(lambda: session._replica.stuck and session._replica.synced)
    assert {scope.id for scope in session._replica.stuck} == {"port21"}
    held = {line for line in cloud.flows() if "table=60" in line}
    assert held, "the others went on"


def deaf_to(kind: int, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch's messages of this type are lost on the way."""
    handle = connection._handle
    monkeypatch.setattr(connection, "_handle", lambda frame: None if frame[1] == kind else handle(frame))


def test_a_lost_port_status_heals_at_the_next_audit(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    store, session = cloud.engine.compiler.store, cloud.engine.sessions()["hv1"]
    deaf_to(of.PORT_STATUS, switch_of(cloud)._connection, monkeypatch)
    cloud.ovs.add_port("tap99", 99)
    session.audit().wait(10)
    until(lambda: store.fact(Key("link", ("hv1", "tap99"))) == Link("hv1", "tap99", 99))
    cloud.ovs.vsctl("del-port", "tap21")
    session.audit().wait(10)
    until(lambda: store.fact(Key("link", ("hv1", "tap21"))) is None)
    until(lambda: in_step(cloud.engine, cloud.ovs))


def test_ours_are_not_foreign(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """A controller that took its own flow-mods for another's would never rest."""
    cloud.engine.apply([(Key("vif", "port21"), None)])
    until(lambda: in_step(cloud.engine, cloud.ovs))
    cloud.engine.apply(topologies.routed())
    until(lambda: in_step(cloud.engine, cloud.ovs))
    assert "somebody else" not in caplog.text


def test_a_push_names_the_requests_that_led_to_it(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """Once, and no request that changed nothing here."""
    caplog.set_level(logging.DEBUG, "naas_sdn.trace")

    def told() -> list[dict[str, object]]:
        return [json.loads(record.getMessage()) for record in caplog.records if record.name == "naas_sdn.trace"]

    key = Key("vif", "port21")
    cloud.engine.because({key: ("req-1", "req-2"), Key("network", "elsewhere"): ("req-3",)})
    cloud.engine.apply([(key, None)])
    until(told)
    assert (told()[0]["hypervisor"], told()[0]["requests"]) == ("hv1", ["req-1", "req-2"])
    assert told()[0]["removed"]
    until(lambda: in_step(cloud.engine, cloud.ovs))
    cloud.engine.because({})
    cloud.engine.apply(topologies.routed())
    until(lambda: in_step(cloud.engine, cloud.ovs))
    assert len(told()) == 1


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
    engine = Engine(database, [*apps, Refusing()], codec.add_flow)
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
