"""Which hypervisor has a router's gateway or translates a floating address, and who is there to have it."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from naas_sdn.apps import wire
from naas_sdn.apps.contract import Group
from naas_sdn.db.session import Session
from naas_sdn.engine.next_hops import EXPIRY, NextHops
from naas_sdn.engine.presence import GRACE, PATIENCE, Presence
from naas_sdn.engine.reports import Report
from naas_sdn.model.store import Key
from naas_sdn.model.values import Absent, Attachment, ExternalGateway, Fact, Port, Router, Sighting
from tests.support import topologies
from tests.support.compiled import ReadableCompiler
from tests.support.topologies import apps, ip, mac


@pytest.fixture
def compiler() -> ReadableCompiler:
    made = ReadableCompiler(apps())
    made.apply(topologies.gatewayed())
    return made


def hosts(compiler: ReadableCompiler, index: str) -> dict[str, str]:
    return dict(compiler.store.elements(Key(index, "")))


def test_each_router_has_one_exit_at_an_uplink(compiler: ReadableCompiler) -> None:
    assert hosts(compiler, "exits") == {"router12": "hv1", "router13": "hv2"}
    assert hosts(compiler, "landings") == {"fip11": "hv1", "fip13": "hv1", "fip22": "hv2"}


def test_what_switches_have_told_makes_no_difference(compiler: ReadableCompiler) -> None:
    """After a restart they tell one after another, and each has its flows already."""
    before = {index: hosts(compiler, index) for index in ("exits", "landings")}
    compiler.apply([(key, None) for key in list(compiler.store.facts()) if key.kind == "link"])
    assert {index: hosts(compiler, index) for index in ("exits", "landings")} == before


def test_another_takes_over_what_an_absent_one_had_and_gives_it_back(compiler: ReadableCompiler) -> None:
    compiler.apply([(Key("absent", "hv1"), Absent("hv1"))])
    assert hosts(compiler, "exits") == {"router12": "hv2", "router13": "hv2"}
    # What is rewritten where its machine is stays there: with the hypervisor, the machine would be gone too.
    assert hosts(compiler, "landings") == {"fip11": "hv1", "fip13": "hv2", "fip22": "hv2"}
    compiler.apply([(Key("absent", "hv2"), Absent("hv2"))])
    assert hosts(compiler, "exits") == {}
    assert hosts(compiler, "landings") == {"fip11": "hv1", "fip22": "hv2"}
    compiler.apply([(Key("absent", "hv1"), None), (Key("absent", "hv2"), None)])
    assert hosts(compiler, "exits") == {"router12": "hv1", "router13": "hv2"}


def test_the_exit_holds_what_is_behind_the_router_without_hosting_it(compiler: ReadableCompiler) -> None:
    gone = [(Key("vif", f"port{number}"), None) for number in (11, 12, 15, 16, 21)]
    compiler.apply(gone)
    assert "net1" not in compiler.store.elements(Key("networks of host", "hv1"))
    groups = compiler.reach.subscriptions("hv1")
    assert {Group(kind, "net1") for kind in ("network", "ports", "members")} < groups
    assert Group("router", "router12") in groups
    assert "hv1" in compiler.store.elements(Key("members of router", "router12"))
    router = compiler.store.fact(Key("router", "router12"))
    assert isinstance(router, Router)
    compiler.apply([(Key("router", "router12"), replace(router, gateway=None))])
    assert Group("network", "net1") not in compiler.reach.subscriptions("hv1")


def test_a_machine_that_moves_takes_its_floating_address_along(compiler: ReadableCompiler) -> None:
    vif = compiler.store.fact(Key("vif", "port11"))
    assert isinstance(vif, Attachment)
    compiler.apply([(Key("vif", "port11"), replace(vif, host="hv2"))])
    assert hosts(compiler, "landings")["fip11"] == "hv2"
    compiler.apply([(Key("vif", "port11"), replace(vif, host="hv3"))])
    assert hosts(compiler, "landings")["fip11"] == "hv1", "at the exit"
    compiler.apply([(Key("vif", "port11"), None)])
    assert "fip11" not in hosts(compiler, "landings")


def test_what_goes_leaves_nothing_derived(compiler: ReadableCompiler) -> None:
    compiler.apply([(Key("router", name), None) for name in ("router12", "router13")])
    assert not {key for key in compiler.store.facts() if key.kind in ("exit", "landing", "outlet", "member")}
    assert not compiler.faults


def test_one_that_is_lost_is_absent_after_a_while_unless_all_are() -> None:
    presence, both = Presence(0.0), ("a", "b")
    for host in both:
        presence.came(host, 1.0)
    presence.left("a", 100.0)
    assert presence.absent(both, 100.0 + PATIENCE - 0.1) == set()
    assert presence.absent(both, 100.0 + PATIENCE) == {"a"}
    presence.came("a", 110.0)
    assert presence.absent(both, 111.0) == set()
    for host in both:
        presence.left(host, 200.0)
    assert presence.absent(both, 1000.0) == set(), "the controller is cut off"
    presence.came("a", 1000.0)
    assert presence.absent(both, 1001.0) == set(), "others may be about to come back"
    assert presence.absent(both, 1000.0 + GRACE) == {"b"}


class Written:
    """Reports that are run at once, for what they say of sightings."""

    def __init__(self, compiler: ReadableCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        def sight(_: object, network_id: str, address: str, found: int | None) -> None:
            self.count += 1
            gateway = ip(9, 1)
            assert (network_id, address) == ("net9", str(gateway))
            fact: Fact | None = Sighting(network_id, gateway, found) if found is not None else None
            compiler.apply([(Key("sighting", f"{network_id} {gateway}"), fact)])

        monkeypatch.setattr("naas_sdn.db.next_hops.sight", sight)

    def put(self, report: Report, again: Callable[[], None]) -> None:
        report(Session())


@pytest.fixture
def written(compiler: ReadableCompiler, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    yield Written(compiler, monkeypatch)


def arp(sender: int, address: int) -> bytes:
    return wire.arp_request(wire.Station(sender, address), address)


def test_the_gateway_s_mac_is_learned_and_forgotten(compiler: ReadableCompiler, written: Written) -> None:
    next_hops = NextHops(compiler.store, written)  # type: ignore[arg-type]
    gateway, key = int(ip(9, 1)), Key("sighting", f"net9 {ip(9, 1)}")
    for frame in (arp(0xBB, gateway + 1), arp(0xBB, gateway)[:30], arp(1 << 40, gateway), arp(0, gateway),
                  arp(mac(91), gateway), b"", bytes(60)):
        next_hops.hear(109, frame, 1.0)
    next_hops.hear(102, arp(0xBB, gateway), 1.0)
    next_hops.settle({"net9"}, 2.0)
    assert written.count == 0, "others' addresses, others' MACs, no ARP, another network"
    for guess in (0xCC, 0xDD, 0xBB):
        next_hops.hear(109, arp(guess, gateway), 3.0)
    next_hops.settle({"net9"}, 4.0)
    assert written.count == 1, "once a second at most"
    assert compiler.store.fact(key) == Sighting("net9", ip(9, 1), 0xBB)
    next_hops.hear(109, arp(0xBB, gateway), 50.0)
    next_hops.settle({"net9"}, 50.0 + EXPIRY)
    assert compiler.store.fact(key) is not None
    next_hops.settle(set(), 51.0 + EXPIRY)
    next_hops.settle({"net9"}, 60.0 + EXPIRY)
    assert compiler.store.fact(key) is not None, "nobody was there to hear it"
    next_hops.settle({"net9"}, 61.0 + 2 * EXPIRY)
    assert compiler.store.fact(key) is None


def test_a_gateway_without_an_address_of_ipv4_leads_nowhere(compiler: ReadableCompiler) -> None:
    port = compiler.store.fact(Key("port", "gw12"))
    router = compiler.store.fact(Key("router", "router12"))
    assert isinstance(port, Port)
    assert isinstance(router, Router)
    compiler.apply([(Key("port", "gw12"), replace(port, addresses=()))])
    assert not compiler.faults
    elsewhere = ExternalGateway("gw12", "net1", 12)
    compiler.apply([(Key("router", "router12"), replace(router, gateway=elsewhere))])
    assert "router12" not in hosts(compiler, "exits"), "that network is in tunnels"
