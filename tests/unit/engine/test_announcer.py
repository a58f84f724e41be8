"""What is announced: to whom, when, and how it ends."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from naas_sdn import runtime
from naas_sdn.apps.contract import Scope
from naas_sdn.db.session import Database
from naas_sdn.engine.announcer import INITIAL, INITIAL_INTERVAL, SHORTEST, Announcements
from naas_sdn.engine.engine import Engine
from naas_sdn.engine.groups import Change
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact, Router, Subnet
from naas_sdn.pipeline.program import Announcement, Compiled
from naas_sdn.southbound import codec
from tests.support import topologies
from tests.support.fleet import until
from tests.support.switches import ToldSwitch
from tests.unit.engine.test_replica import Table

INTERVAL = 100.0
ONE, TWO = (Announcement("net", name, INTERVAL, name.encode(), b"no more " + name.encode()) for name in ("one", "two"))
ELSEWHERE = Announcement("other", "three", INTERVAL, b"three", b"no more three")


def change(old: tuple[Announcement, ...], new: tuple[Announcement, ...], name: str = "net") -> list[Change]:
    return [Change(Scope("network", name), Compiled(announcements=old), Compiled(announcements=new))]


def moments(announcements: Announcements, until_: float) -> dict[str, list[float]]:
    """When each is sent, asked every second from the first."""
    found: dict[str, list[float]] = {}
    for now in range(1, int(until_)):
        for announcement in announcements.due(float(now)):
            found.setdefault(announcement.name, []).append(float(now))
    return found


def test_what_is_new_is_sent_at_once_and_in_short_turn_and_then_by_its_interval() -> None:
    announcements = Announcements()
    assert announcements.follow(change((), (ONE,)), 1.0) == []
    sent = moments(announcements, 1000)["one"]
    assert sent[0] == 1.0
    gaps = [after - before for before, after in pairwise(sent)]
    assert all(SHORTEST * INITIAL_INTERVAL <= gap <= INITIAL_INTERVAL + 1 for gap in gaps[:INITIAL - 1])
    assert all(SHORTEST * INTERVAL <= gap <= INTERVAL + 1 for gap in gaps[INITIAL - 1:])
    assert len(gaps) > 9


def test_what_leaves_is_bidden_farewell_once_and_the_others_of_its_network_speak_again() -> None:
    announcements = Announcements()
    announcements.follow([*change((), (ONE, TWO)), *change((), (ELSEWHERE,), "other")], 0.0)
    moments(announcements, 50)
    assert announcements.follow(change((ONE, TWO), (TWO,)), 50.0) == [ONE]
    assert [announcement.name for announcement in announcements.due(50.0)] == ["two"]
    assert announcements.follow(change((ONE,), ()), 51.0) == []


def test_another_frame_of_the_same_name_is_new_and_no_farewell() -> None:
    announcements = Announcements()
    announcements.follow(change((), (ONE,)), 0.0)
    moments(announcements, 50)
    other = replace(ONE, frame=b"changed")
    assert announcements.follow(change((ONE,), (other,)), 50.0) == []
    assert list(announcements.due(50.0)) == [other]


def test_a_whole_look_ends_what_is_not_in_it_and_repeats_nothing() -> None:
    announcements = Announcements()
    announcements.follow([*change((), (ONE,)), *change((), (ELSEWHERE,), "other")], 0.0)
    moments(announcements, 50)
    whole = [Change(Scope("network", "net"), None, Compiled(announcements=(ONE,)))]
    assert announcements.follow(whole, 50.0, whole=True) == [ELSEWHERE]
    assert list(announcements.due(50.0)) == []
    assert announcements.follow(whole, 51.0, whole=True) == []


@pytest.fixture
def cloud(sqlite_database: Database) -> Iterator[tuple[Engine, ToldSwitch]]:
    """hv1 of dual_stack: machines 11 and 12 on network 1, 31 on network 3."""
    engine = Engine(sqlite_database, topologies.apps(), codec.add_flow)
    engine.apply(topologies.dual_stack())
    links = {"vxlan0": topologies.TUNNEL_PORT, **{f"tap{number}": number for number in (11, 12, 31)}}
    switch = ToldSwitch("hv1", Table(), [], links)
    engine.connected(switch, links)
    thread = runtime.spawn(engine.announce)
    try:
        yield engine, switch
    finally:
        thread.kill()


def subnet(engine: Engine, number: int) -> Subnet:
    found = engine.compiler.store.fact(Key("subnet", f"sub{number}"))
    assert isinstance(found, Subnet)
    return found


def prefixes(switch: ToldSwitch, ports: tuple[int, ...]) -> set[str]:
    return {frame[94:102].hex() for to, frame in switch.sent if to == ports}


def test_every_machine_of_a_network_here_is_told_by_one_message(cloud: tuple[Engine, ToldSwitch]) -> None:
    _, switch = cloud
    until(lambda: len(switch.sent) >= 3)
    assert prefixes(switch, (11, 12)) == {"20010db800010000", "20010db800910000"}
    assert prefixes(switch, (31,)) == {"20010db800030000"}
    assert {to for to, _ in switch.sent} == {(11, 12), (31,)}


def test_a_router_that_goes_is_withdrawn_at_once(cloud: tuple[Engine, ToldSwitch]) -> None:
    engine, switch = cloud
    until(lambda: len(switch.sent) >= 3)
    router = engine.compiler.store.fact(Key("router", "router1"))
    assert isinstance(router, Router)
    switch.sent.clear()
    engine.apply([(Key("router", "router1"), replace(router, admin_up=False))])
    until(lambda: len(switch.sent) >= 2)
    for to, frame in switch.sent[:2]:
        assert to == (11, 12)
        assert frame[60:62] == b"\0\0", "no default router any more"
        assert frame[86:90] == b"\0\0\0\0", "and no address is to be begun with"


def test_nothing_is_sent_for_what_does_not_concern_it(cloud: tuple[Engine, ToldSwitch]) -> None:
    engine, switch = cloud
    until(lambda: len(switch.sent) >= 3)
    sent = len(switch.sent)
    changed: list[tuple[Key, Fact]] = [(Key("subnet", "sub1"), replace(subnet(engine, 1), dhcp=False))]
    engine.apply(changed)
    runtime.sleep(1.5)
    assert len(switch.sent) == sent
    engine.apply([(Key("subnet", "sub61"), replace(subnet(engine, 61), ra_mode="dhcpv6-stateful"))])
    until(lambda: len(switch.sent) >= sent + 2)     # the flags are the interface's, on both of its subnets
    assert {frame[59] for _, frame in switch.sent[sent:]} == {0x80}
