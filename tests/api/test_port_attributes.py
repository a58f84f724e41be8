"""What a port may send as besides its own addresses, and what DHCP tells it besides its subnet's."""
from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest

from naas_sdn.db import journal
from naas_sdn.db.load import load, number_of
from naas_sdn.model.store import Key
from naas_sdn.model.values import AddressPair, Port
from tests.api.wire import Answer, Wire

VRRP = "00:00:5e:00:01:07"


def change(wire: Wire, port: str, who: str = "alice", **attributes: Any) -> Answer:
    return wire.ask("PUT", f"ports/{port}", {"port": attributes}, who=who)


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def fact(wire: Wire, port: str) -> Port:
    """What the data plane knows of it."""
    with wire.database.read() as session:
        found = load(session, [Key("port", port)])[Key("port", port)]
    assert isinstance(found, Port)
    return found


def option(name: str, value: str | None, version: int = 4) -> dict[str, Any]:
    return {"opt_name": name, "opt_value": value, "ip_version": version}


def test_pairs_are_of_the_port_s_mac_unless_they_say_another(wire: Wire) -> None:
    network = wire.network()["id"]
    port = wire.make("ports", network_id=network, allowed_address_pairs=[
        {"ip_address": "10.0.0.200"}, {"ip_address": "10.9.0.7/16", "mac_address": "00-00-5E-00-01-07"},
        {"ip_address": "2001:db8::1"}])
    own = port["mac_address"]
    assert port["allowed_address_pairs"] == [
        {"ip_address": "10.0.0.200", "mac_address": own}, {"ip_address": "10.9.0.0/16", "mac_address": VRRP},
        {"ip_address": "2001:db8::1", "mac_address": own}]
    assert wire.ask("GET", f"ports/{port['id']}").body["port"]["allowed_address_pairs"] == port["allowed_address_pairs"]
    assert fact(wire, port["id"]).pairs == (
        AddressPair(number_of(own), IPv4Network("10.0.0.200/32")),
        AddressPair(number_of(VRRP), IPv4Network("10.9.0.0/16")),
        AddressPair(number_of(own), IPv6Network("2001:db8::1/128")))
    moved = change(wire, port["id"], mac_address="02:00:00:00:00:77").body["port"]
    assert [pair["mac_address"] for pair in moved["allowed_address_pairs"]] == [
        "02:00:00:00:00:77", VRRP, "02:00:00:00:00:77"]
    assert change(wire, port["id"], name="x").body["port"]["allowed_address_pairs"] == moved["allowed_address_pairs"]
    assert change(wire, port["id"], allowed_address_pairs=None).body["port"]["allowed_address_pairs"] == []
    assert fact(wire, port["id"]).pairs == ()


@pytest.mark.parametrize(("pairs", "status", "error"), [
    ([{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9/32"}], 400, "DuplicateAddressPairInRequest"),
    ([{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9", "mac_address": "02:00:00:00:00:07"}], 400,
     "DuplicateAddressPairInRequest"),
    ([{"ip_address": f"10.0.0.{number}"} for number in range(11)], 400, "AllowedAddressPairExhausted"),
    ([{"ip_address": "224.0.0.0/24"}], 400, "InvalidInput"), ([{"ip_address": "ff02::1"}], 400, "InvalidInput"),
    ([{"ip_address": "x"}], 400, "HTTPBadRequest"), ([{"ip_address": "10.0.0.0/33"}], 400, "HTTPBadRequest"),
    ([{"ip_address": None}], 400, "HTTPBadRequest"), ([{}], 400, "HTTPBadRequest"), ({}, 400, "HTTPBadRequest"),
    ([{"mac_address": VRRP}], 400, "HTTPBadRequest"),
    ([{"ip_address": "10.0.0.9", "mac_address": "01:00:00:00:00:00"}], 400, "HTTPBadRequest"),
    ([{"ip_address": "10.0.0.9", "port": 1}], 400, "HTTPBadRequest"),
])
def test_pairs_that_are_none(wire: Wire, pairs: Any, status: int, error: str) -> None:
    network = wire.network()["id"]
    port = wire.make("ports", network_id=network, mac_address="02:00:00:00:00:07")["id"]
    before = wire.dump()
    assert refused(change(wire, port, allowed_address_pairs=pairs)) == (status, error)
    assert wire.dump() == before
    assert wire.ask("DELETE", f"ports/{port}").status == 204
    before = wire.dump()
    new = {"network_id": network, "mac_address": "02:00:00:00:00:07", "allowed_address_pairs": pairs}
    assert refused(wire.ask("POST", "ports", {"port": new})) == (status, error)
    assert wire.dump() == before


def test_pairs_need_port_security(wire: Wire) -> None:
    network, pair = wire.network()["id"], [{"ip_address": "10.0.0.9"}]
    needed = (409, "AddressPairAndPortSecurityRequired")
    new = {"network_id": network, "port_security_enabled": False, "allowed_address_pairs": pair}
    assert refused(wire.ask("POST", "ports", {"port": new})) == needed
    port = wire.make("ports", network_id=network, allowed_address_pairs=pair)["id"]
    before = wire.dump()
    assert refused(change(wire, port, port_security_enabled=False, security_groups=[])) == needed
    assert wire.dump() == before
    assert change(wire, port, port_security_enabled=False, security_groups=[], allowed_address_pairs=[]).status == 200
    assert refused(change(wire, port, allowed_address_pairs=pair)) == needed
    assert change(wire, port, port_security_enabled=True, allowed_address_pairs=pair).status == 200
    # What becomes a router's interface sends as the router.
    router = wire.make("routers")["id"]
    assert wire.ask("PUT", f"routers/{router}/add_router_interface", {"port_id": port}).status == 200
    assert wire.ask("GET", f"ports/{port}").body["port"]["allowed_address_pairs"] == []


def test_who_sends_as_whom_is_the_network_s_owner_s_to_say(wire: Wire) -> None:
    network = wire.network(who="admin", shared=True)["id"]
    pair = [{"ip_address": "10.0.0.9"}]
    port = wire.make("ports", network_id=network)["id"]
    before = wire.dump()
    new = {"network_id": network, "allowed_address_pairs": pair}
    for answer in (wire.ask("POST", "ports", {"port": new}), change(wire, port, allowed_address_pairs=pair)):
        assert refused(answer) == (403, "PolicyNotAuthorized")
    assert wire.dump() == before
    given = change(wire, port, "admin", allowed_address_pairs=pair).body["port"]["allowed_address_pairs"]
    assert change(wire, port, allowed_address_pairs=given, name="x").status == 200
    assert change(wire, port, allowed_address_pairs=[]).status == 403


def test_options_are_kept_changed_one_by_one_and_deleted_by_null(wire: Wire) -> None:
    port = wire.make("ports", network_id=wire.network()["id"], extra_dhcp_opts=[
        {"opt_name": "bootfile-name", "opt_value": "pxelinux.0"}, {"opt_name": "150", "opt_value": "192.0.2.1"},
        {"opt_name": "router", "opt_value": None}, option("tag:ipxe,67", "http://192.0.2.1/boot"),
        option("bootfile-url", "grub", 6), option("router", "x", 6)])
    kept = [option("bootfile-name", "pxelinux.0"), option("150", "192.0.2.1"),
            option("tag:ipxe,67", "http://192.0.2.1/boot"), option("bootfile-url", "grub", 6), option("router", "x", 6)]
    assert port["extra_dhcp_opts"] == kept
    assert fact(wire, port["id"]).dhcp_options == ((67, b"pxelinux.0"), (150, bytes([192, 0, 2, 1])))
    assert fact(wire, port["id"]).dhcp6_options == ((59, b"grub"),)
    changed = change(wire, port["id"], extra_dhcp_opts=[
        option("bootfile-name", "other"), option("150", None), option("server-ip-address", "192.0.2.9"),
        option("mtu", None), {"opt_name": "bootfile-url", "opt_value": None, "ip_version": "6"},
        option("router", None, 6)])
    assert changed.body["port"]["extra_dhcp_opts"] == [
        option("bootfile-name", "other"), kept[2], option("server-ip-address", "192.0.2.9")]
    assert fact(wire, port["id"]).dhcp_options == ((67, b"other"), (0, bytes([192, 0, 2, 9])))
    for same in ([], None):
        assert change(wire, port["id"], extra_dhcp_opts=same).body["port"]["extra_dhcp_opts"] == (
            changed.body["port"]["extra_dhcp_opts"])


@pytest.mark.parametrize(("options", "error"), [
    ([option("server-ip-address", "x")], "InvalidInput"),
    ([option("server-ip-address", "192.0.2.1,192.0.2.2")], "InvalidInput"),
    ([option("51", "1")], "InvalidInput"), ([option("1", "255.0.0.0")], "InvalidInput"),
    ([option("256", "x")], "InvalidInput"), ([option("mtu", "60")], "InvalidInput"),
    ([option("26", "x")], "InvalidInput"), ([option("hostname", "$(reboot)")], "InvalidInput"),
    ([option("bootfile-name", "ü")], "InvalidInput"), ([option("router", "")], "HTTPBadRequest"),
    ([option("dns-server", "192.0.2.1", 6)], "InvalidInput"), ([option("1", "x", 6)], "InvalidInput"),
    ([option("a", "b", 5)], "InvalidInput"), ([option("a", "b", 7)], "HTTPBadRequest"),
    ([option("a", "b"), option("a", "c")], "InvalidInput"),
    ([option(f"x{number}", "b") for number in range(33)], "InvalidInput"),
    ([option("", "b")], "HTTPBadRequest"), ([{"opt_value": "b"}], "HTTPBadRequest"), ([7], "HTTPBadRequest"),
    ([option("a", "b" * 256)], "HTTPBadRequest"), ([{**option("a", "b"), "id": "x"}], "HTTPBadRequest"),
])
def test_options_that_are_none(wire: Wire, options: Any, error: str) -> None:
    network = wire.network()["id"]
    port = wire.make("ports", network_id=network, extra_dhcp_opts=[option("mtu", "1400")])["id"]
    before = wire.dump()
    new = {"network_id": network, "extra_dhcp_opts": options}
    for answer in (wire.ask("POST", "ports", {"port": new}), change(wire, port, extra_dhcp_opts=options)):
        assert refused(answer) == (400, error)
    assert wire.dump() == before


def test_the_data_plane_hears_of_both_when_they_change(wire: Wire) -> None:
    port = wire.make("ports", network_id=wire.network()["id"])["id"]
    pairs, options = [{"ip_address": "10.0.0.9"}], [option("mtu", "1400")]

    def heard(**attributes: Any) -> list[str]:
        with wire.database.read() as session:
            before = journal.last(session)
        assert change(wire, port, **attributes).status == 200
        with wire.database.read() as session:
            return [entry.object_id for entry in journal.read(session, before)]

    assert heard(allowed_address_pairs=pairs) == heard(extra_dhcp_opts=options) == [port]
    assert heard(allowed_address_pairs=pairs, extra_dhcp_opts=options) == []
