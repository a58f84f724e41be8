"""The whole southbound against a real Open vSwitch."""
from __future__ import annotations

import os
import re
import signal
import struct
from collections import Counter
from collections.abc import Iterator

import pytest

from naas_sdn.engine.contract import Refused
from naas_sdn.engine.replica import Replica
from naas_sdn.pipeline.flow import (
    Commit,
    Controller,
    DecTtl,
    Flow,
    InPort,
    Move,
    Output,
    Recirculate,
    Resubmit,
    SetField,
    Track,
    match,
)
from naas_sdn.pipeline.program import Compiled, Delta, Meter
from naas_sdn.pipeline.tables import Table
from naas_sdn.southbound import codec
from naas_sdn.southbound import constants as of
from naas_sdn.southbound.app import Southbound
from naas_sdn.southbound.connection import LAST_XID
from naas_sdn.southbound.guard import Malformed
from naas_sdn.southbound.switch import BUNDLE, OpenFlowSwitch
from tests.support import topologies
from tests.support.compiled import ReadableCompiler, flow_mod
from tests.support.fleet import RecordingFleet, southbound, until
from tests.support.ovs import DummySwitch


@pytest.fixture(scope="module")
def south() -> Iterator[tuple[Southbound, RecordingFleet]]:
    with southbound(echo_interval=0.5) as both:
        yield both


@pytest.fixture
def ovs(south: tuple[Southbound, RecordingFleet]) -> Iterator[DummySwitch]:
    with DummySwitch(1, "hv1;vtep=192.0.2.1") as switch:
        switch.set_controller(f"tcp:127.0.0.1:{south[0].port}")
        until(lambda: "hv1" in south[1].switches)
        yield switch
    until(lambda: "hv1" not in south[1].switches)


def connected(south: tuple[Southbound, RecordingFleet]) -> OpenFlowSwitch:
    switch = south[1].switches["hv1"]
    assert isinstance(switch, OpenFlowSwitch)
    return switch


@pytest.mark.parametrize("topology", topologies.ALL)
def test_what_is_pushed_is_what_ovs_ofctl_makes_of_the_text(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch, topology: str) -> None:
    compiler = ReadableCompiler(topologies.apps())
    compiler.apply(topologies.ALL[topology]())
    flows, meters = Replica(compiler, "hv1").desired()
    switch = connected(south)
    switch.push(Delta(add=tuple(flows.values()), meters=tuple(meters.values())))
    pushed = _flows(ovs)
    dump = switch.dump()
    assert not dump.doubled
    # Byte for byte, so that a flow that somebody changed is known by its first look.
    assert dump.flows == {name: fingerprint for flow in flows.values()
                          for name, fingerprint in Compiled(flow.wire).fingerprints()}
    assert switch.table_counts() == Counter(table for table, _ in flows)
    assert switch.meters() == meters
    ovs.load([str(compiler.flow(sent)) for sent in flows.values()])
    assert pushed == _flows(ovs)


TRACKED = {"ct_state": (0x20, 0x30)}


@pytest.mark.parametrize("flow", [
    Flow(Table.L2, 7, match(eth_type=0x0800), (Track("reg4", Table.COPY),)),
    Flow(Table.L2, 7, match({"reg4": (1 << 17, 1 << 17)}, eth_type=0x86DD, ct_state=(0x21, 0x21)), (Commit("reg4"),),
         Table.COPY),
    Flow(Table.L2, 7, match(eth_type=0x0800, **TRACKED), (Move("ct_nw_src", "reg15", 32),
                                                          Move("ct_nw_dst", "reg15", 32))),
    Flow(Table.L2, 7, match(eth_type=0x86DD, **TRACKED), (Move("ct_ipv6_src", "xxreg3", 128),
                                                          Move("ct_ipv6_dst", "xxreg3", 128))),
    Flow(Table.L2, 7, match({"reg10": 5}, metadata=9, eth_type=0x0800, ct_nw_src=(0x0A000000, 0xFF000000),
                            ct_nw_dst=0x0A000001, ct_nw_proto=6, ct_tp_src=7, ct_tp_dst=(0x50, 0xFFF0), **TRACKED)),
    Flow(Table.L2, 7, match(eth_type=0x86DD, ct_nw_proto=17, ct_ipv6_src=(0xFE80 << 112, 0xFFC0 << 112),
                            ct_ipv6_dst=1, ct_tp_dst=80, **TRACKED)),
    Flow(Table.L2, 7, match(eth_type=0x0800, nw_proto=132, sctp_src=1, sctp_dst=(0x50, 0xFFF0))),
], ids=lambda flow: str(flow.match[0][0]))
def test_conntrack_s_fields_and_actions_are_what_ovs_ofctl_makes_of_the_text(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch, flow: Flow) -> None:
    sent = flow_mod(flow)
    switch = connected(south)
    switch.push(Delta(add=(sent,)))
    pushed = _flows(ovs)
    assert switch.dump().flows == dict(Compiled(sent.wire).fingerprints())
    ovs.load([str(flow)])
    assert pushed == _flows(ovs) and len(pushed) == 1


def test_a_zone_is_flushed_alone(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    ovs.add_port("p1", 1)
    switch = connected(south)
    first = Flow(Table.CLASSIFY, 7, match(in_port=1, eth_type=0x0800), (SetField("reg4", 5), Track("reg4", Table.L2)))
    both = Flow(Table.L2, 7, match(eth_type=0x0800), (Commit("reg4"), SetField("reg4", 6), Commit("reg4")))
    switch.push(Delta(add=(flow_mod(first), flow_mod(both))))
    datagram = "4500001c00000000401166cf0a0000010a000002" + "0007000900080000"
    ovs.appctl("netdev-dummy/receive", "p1", "02" * 6 + "06" * 6 + "0800" + datagram)

    def zones() -> set[str]:
        return set(re.findall(r"zone=(\d+)", ovs.appctl("dpctl/dump-conntrack")))

    assert until(lambda: len(zones()) == 2) and zones() == {"5", "6"}
    switch.push(Delta(flush=(5,)))
    assert zones() == {"6"}


def _flows(ovs: DummySwitch) -> list[str]:
    return sorted(
        " ".join(part for part in line.split() if not part.startswith(("cookie", "duration", "n_packets", "n_bytes")))
        for line in ovs.ofctl("dump-flows").splitlines() if "actions" in line)


def test_actions_with_the_same_number_are_not_taken_for_each_other() -> None:
    """What is encoded is kept, by what it is."""
    same = (Output(67), Resubmit(Table.FLOOD), Controller(67), Recirculate(67), DecTtl(), InPort())
    assert len({codec.add_flow(Flow(Table.L2, 1, (), (action,))) for action in same}) == len(same)


def test_identity_is_what_the_switch_says(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    identity = south[1].identities[-1]
    assert (identity.datapath_id, identity.description, identity.certificate) == (1, "hv1;vtep=192.0.2.1", None)


def test_a_flow_is_deleted_by_its_name_only(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    one, two = (flow_mod(Flow(Table.L2, 5, match(metadata=number))) for number in (1, 2))
    switch.push(Delta(add=(one, two)))
    switch.push(Delta(remove=((one.table, one.cookie),)))
    assert [count.cookie for count in switch.counts([Table.L2])] == [two.cookie]


def test_replacing_a_flow_keeps_its_counters(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    ovs.add_port("p1", 1)
    switch = connected(south)
    old = flow_mod(Flow(Table.CLASSIFY, 5, match(in_port=1)))
    new = flow_mod(Flow(Table.CLASSIFY, 5, match(in_port=1), (SetField("reg1", 9),)))
    switch.push(Delta(add=(old,)))
    ovs.appctl("netdev-dummy/receive", "p1", "ff" * 6 + "02" * 6 + "0800" + "00" * 50)
    until(lambda: switch.counts([Table.CLASSIFY])[0].packets == 1)
    switch.push(Delta(add=(new,), remove=((old.table, old.cookie),)))
    assert [(count.cookie, count.packets) for count in switch.counts([Table.CLASSIFY])] == [(new.cookie, 1)]


def test_meters_are_added_changed_and_dropped(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    first, changed = Meter(7, 1000, 300), Meter(7, 2000, 600)
    virtual = Meter(Meter.CONTROLLER, 100, 100, packets=True)
    using = flow_mod(Flow(Table.FROM_QOS, 5, match(reg1=1), goto=Table.COPY, meter=7))
    switch.push(Delta(add=(using,), meters=(first, virtual)))
    assert switch.meters() == {7: first, Meter.CONTROLLER: virtual}
    switch.push(Delta(meters=(changed,)))
    assert switch.meters()[7] == changed
    assert len(switch.dump().flows) == 1
    switch.push(Delta(remove=((using.table, using.cookie),), drop_meters=(7,)))
    assert switch.dump().flows == {}
    assert set(switch.meters()) == {Meter.CONTROLLER}


def test_what_the_switch_drops_by_itself_is_read(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    ovs.add_port("p1", 1)
    switch = connected(south)
    meter = Meter(7, 1, 1, packets=True)
    switch.push(Delta(add=(flow_mod(Flow(Table.CLASSIFY, 5, (), meter=7)),), meters=(meter,)))
    for _ in range(20):
        ovs.appctl("netdev-dummy/receive", "p1", "ff" * 6 + "02" * 6 + "0800" + "00" * 50)
    packets, octets = until(lambda: (drops := switch.meter_drops()[7])[0] and drops)
    assert 10 <= packets <= 19
    assert octets >= 60 * packets
    assert switch.port_drops()[1] == (0, 0)


def test_a_refused_flow_is_named_and_nothing_of_its_bundle_is_applied(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    good = flow_mod(Flow(Table.L2, 5, match(metadata=1)))
    bad = flow_mod(Flow(Table.FROM_QOS, 5, match(reg1=1), goto=Table.COPY, meter=4711))
    with pytest.raises(Refused) as caught:
        switch.push(Delta(add=(good, bad)))
    assert [flow for flow, _ in caught.value.flows] == [bad]
    assert switch.dump().flows == {}
    switch.push(Delta(add=(good,)))
    assert len(switch.dump().flows) == 1


def test_thousands_of_flows_go_through(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    flows = tuple(flow_mod(Flow(Table.L2, 5, match(metadata=number))) for number in range(5000))
    switch.push(Delta(add=flows))
    assert switch.dump().flows.keys() == {(flow.table, flow.cookie) for flow in flows}
    switch.push(Delta(remove=tuple((flow.table, flow.cookie) for flow in flows)))
    assert switch.dump().flows == {}


ATOMIC, ORDERED = 1, 2
"""The flags of a bundle (OpenFlow ONF extension 230, ofp_bundle_flags)."""


def sent_by(switch: OpenFlowSwitch, delta: Delta, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The messages that go to the switch while `delta` is pushed, echo requests left out."""
    written, send = bytearray(), switch._connection.send

    def recorded(data: bytes) -> bool:
        written.extend(data)
        return bool(send(data))

    monkeypatch.setattr(switch._connection, "send", recorded)
    switch.push(delta)
    monkeypatch.undo()
    messages = []
    while written:
        size = int.from_bytes(written[2:4])
        messages.append(bytes(written[:size]))
        del written[:size]
    return [message for message in messages if message[1] not in (of.ECHO_REQUEST, of.ECHO_REPLY)]


def test_adds_go_before_deletes_in_one_atomic_and_ordered_bundle_between_meters(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing drops meanwhile: no moment has neither flow, none has a flow whose meter is away."""
    switch = connected(south)
    old, kept, new = (flow_mod(Flow(Table.L2, 5, match(metadata=number))) for number in (1, 2, 3))
    switch.push(Delta(add=(old, kept), meters=(Meter(7, 1000, 300),)))
    delta = Delta(add=(new, flow_mod(Flow(Table.FROM_QOS, 5, match(reg1=1), goto=Table.COPY, meter=8))),
                  remove=((old.table, old.cookie), (kept.table, kept.cookie)),
                  meters=(Meter(8, 1000, 300),), drop_meters=(7,))
    told = []
    for message in sent_by(switch, delta, monkeypatch):
        match message[1]:
            case of.METER_MOD:
                told.append({0: "add", 1: "modify", 2: "delete"}[int.from_bytes(message[8:10])] + " meter")
            case of.BARRIER_REQUEST:
                told.append("barrier")
            case of.EXPERIMENTER:
                experimenter, kind, bundle, _, flags = struct.unpack_from("!IIIHH", message, 8)
                assert (experimenter, bundle, flags) == (0x4F4E4600, 1, ATOMIC | ORDERED)
                if kind == of.BUNDLE_CONTROL:
                    told.append({0: "open", 4: "commit"}[int.from_bytes(message[20:22])])
                else:
                    # A flow-mod begins where this message's own 24 bytes end; its command is byte 25.
                    told.append({0: "add", 3: "delete"}[message[24 + 25]])
            case other:
                told.append(f"message type {other}")
    assert told == ["add meter", "barrier", "open", "add", "add", "delete", "delete", "barrier", "commit",
                    "delete meter", "barrier"]


def test_nothing_to_do_sends_nothing(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    before = switch._connection.xid
    switch.push(Delta())
    assert switch._connection.xid == before


def test_ports_come_and_go(south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    ovs.add_port("tap1", 4)
    until(lambda: south[1].interfaces["hv1"] == {"tap1": 4})
    ovs.vsctl("del-port", "tap1")
    until(lambda: south[1].interfaces["hv1"] == {})


def test_a_punt_brings_the_registers_and_an_answer_leaves_by_its_port(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    ovs.add_port("p1", 1)
    switch = connected(south)
    punting = Flow(Table.CLASSIFY, 5, match(in_port=1), (SetField("reg1", 77), SetField("reg6", 32), Controller()))
    switch.push(Delta(add=(flow_mod(punting),)))
    frame = bytes.fromhex("ff" * 6 + "02" * 6 + "0800" + "45" * 1200)
    ovs.appctl("netdev-dummy/receive", "p1", frame.hex())
    host, punt = until(lambda: south[1].punts)[-1]
    assert (host, punt.fields["reg1"], punt.fields["reg6"], punt.data, punt.complete) == ("hv1", 77, 32, frame, True)
    switch.send((1,), frame)
    until(lambda: "tx pkts=1," in ovs.ofctl("dump-ports", "p1"))


def test_an_unknown_datapath_is_turned_away(south: tuple[Southbound, RecordingFleet]) -> None:
    before = south[0].counts["not admitted"]
    with DummySwitch(99, "hv99") as stranger:
        stranger.set_controller(f"tcp:127.0.0.1:{south[0].port}")
        until(lambda: south[0].counts["not admitted"] > before)
    assert 99 not in south[0]._live


def test_a_second_claim_to_a_datapath_is_refused_and_the_first_goes_on(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    before = south[0].counts["duplicate"]
    with DummySwitch(1, "hv1") as thief:
        thief.set_controller(f"tcp:127.0.0.1:{south[0].port}")
        until(lambda: south[0].counts["duplicate"] > before)
    assert connected(south).dump().flows == {}


def test_a_switch_that_stops_answering_is_found(south: tuple[Southbound, RecordingFleet]) -> None:
    with DummySwitch(2, "hv2") as silent:
        silent.set_controller(f"tcp:127.0.0.1:{south[0].port}")
        until(lambda: "hv2" in south[1].switches)
        os.kill(silent.pid(), signal.SIGSTOP)
        until(lambda: "hv2" in south[1].gone)


def test_a_bundle_that_was_left_open_is_closed_and_the_next_push_goes_through(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    flow = flow_mod(Flow(Table.L2, 5, match(metadata=1)))
    switch._connection.post(codec.bundle_control(BUNDLE, of.BUNDLE_OPEN))
    with pytest.raises(Malformed):
        switch.push(Delta(add=(flow,)))
    assert not switch.dump().flows
    switch.push(Delta(add=(flow,)))
    assert switch.dump().flows.keys() == {(flow.table, flow.cookie)}


def test_transaction_ids_come_in_a_row_when_they_wrap_too(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    switch._connection.xid = LAST_XID - 3
    good, bad = flow_mod(Flow(Table.L2, 5, match(metadata=1))), flow_mod(Flow(Table.L2, 5, match(metadata=2), meter=7))
    with pytest.raises(Refused) as refused:
        switch.push(Delta(add=(good, good, good, bad)))
    assert [culprit for culprit, _ in refused.value.flows] == [bad]
    assert switch._connection.xid < 100


def test_a_bundle_that_cannot_be_opened_is_found_when_transaction_ids_wrap(
        south: tuple[Southbound, RecordingFleet], ovs: DummySwitch) -> None:
    switch = connected(south)
    flow = flow_mod(Flow(Table.L2, 5, match(metadata=1)))
    switch._connection.post(codec.bundle_control(BUNDLE, of.BUNDLE_OPEN))
    switch._connection.xid = LAST_XID - 1
    with pytest.raises(Malformed):
        switch.push(Delta(add=(flow,)))
    assert not switch.dump().flows
