"""What every collection's list filters by, and what of an object is asked for."""
from __future__ import annotations

import pytest

from naas_sdn.rest.resources import BY_PATH, COLLECTIONS
from tests.api.test_tags import TAGGED, several
from tests.api.wire import Wire


def found(wire: Wire, url: str, who: str = "alice") -> list[str]:
    answer = wire.ask("GET", url, who=who)
    assert answer.status == 200, answer.body
    return [item["id"] for item in answer.body[BY_PATH[url.split("?", maxsplit=1)[0]].envelope]]


@pytest.mark.parametrize("collection", TAGGED)
def test_projects_by_either_name(wire: Wire, collection: str) -> None:
    ids = sorted(several(wire, collection, 2))
    for name in ("project_id", "tenant_id"):
        assert found(wire, f"{collection}?{name}=alice&{name}=bob", "admin") == found(wire, collection)
        assert set(ids) <= set(found(wire, f"{collection}?{name}=alice&sort_key={name}&limit=9", "admin"))
        # An operator's list of a project's groups makes it a default one.
        for nobody in ("bob", ""):
            assert found(wire, f"{collection}?{name}={nobody}", "service") == []
    assert found(wire, f"{collection}?id={ids[0]}&id={ids[1]}") == ids
    first = wire.ask("GET", f"{collection}?sort_key=tenant_id&limit=1", who="admin").body[BY_PATH[collection].envelope]
    rest = found(wire, f"{collection}?sort_key=tenant_id&marker={first[0]['id']}", "admin")
    assert [first[0]["id"], *rest] == found(wire, f"{collection}?sort_key=tenant_id", "admin")


@pytest.mark.parametrize("collection", TAGGED)
def test_just_the_fields_that_are_asked_for(wire: Wire, collection: str) -> None:
    [identifier] = several(wire, collection)
    member, plural = BY_PATH[collection].member, BY_PATH[collection].envelope
    whole = wire.ask("GET", f"{collection}/{identifier}").body[member]
    for query, names in (("fields=id&fields=tags", ("id", "tags")), ("fields=id,tags", ("id", "tags")),
                         ("fields=tenant_id", ("tenant_id",)), ("fields=bogus", ()), ("fields=", tuple(whole)),
                         ("fields=&fields=id", ("id",))):
        wanted = {name: whole[name] for name in names}
        assert wire.ask("GET", f"{collection}/{identifier}?{query}").body == {member: wanted}
        assert wire.ask("GET", f"{collection}?id={identifier}&{query}").body == {plural: [wanted]}
    assert wire.ask("GET", f"{collection}/{identifier}?bogus=1").status == 400
    assert wire.ask("GET", f"{collection}/{identifier}?tags=a").status == 200


@pytest.mark.parametrize("collection", [collection.path for collection in COLLECTIONS if not collection.parent])
def test_no_value_of_a_filter_is_too_odd(wire: Wire, collection: str) -> None:
    """Of every attribute that filters and sorts: what fits no type matches nothing, or is refused."""
    for attribute in BY_PATH[collection].attributes:
        if "F" not in attribute:
            continue
        for value in ("", "null", "x", "-1", "1.5", "9" * 30, "%C3%A9", "a%27%22%25_", "[]"):
            status = wire.ask("GET", f"{collection}?{attribute.name}={value}", who="admin").status
            assert status in (200, 400), (attribute.name, value)
        if "S" in attribute:
            assert wire.ask("GET", f"{collection}?sort_key={attribute.name}", who="admin").status == 200


def test_the_empty_string_is_a_value(wire: Wire) -> None:
    plain, named = wire.make("networks")["id"], wire.make("networks", name="n")["id"]
    assert found(wire, "networks?name=") == [plain]
    assert found(wire, "networks?name=&name=n") == sorted([plain, named])
    assert wire.ask("GET", "networks?admin_state_up=").status == 400
    assert found(wire, "networks?qos_policy_id=null") == sorted([plain, named])
    port = wire.make("ports", network_id=plain, device_id="d")["id"]
    other = wire.make("ports", network_id=plain)["id"]
    assert found(wire, "ports?device_id=") == [other]
    assert found(wire, "ports?device_id=d&device_owner=") == [port]
    assert found(wire, "networks?mtu=x") == found(wire, "networks?mtu=x&name=n") == []
    assert found(wire, "networks?mtu=1450&mtu=x&name=n") == [named]


def test_ports_by_address(wire: Wire) -> None:
    """One address of the port is any of the values of each key."""
    network = wire.network("10.0.0.0/24")
    near, far = network["subnets"][0], wire.make("subnets", network_id=network["id"], ip_version=4,
                                                 cidr="10.1.0.0/24")["id"]
    ports = [wire.make("ports", network_id=network["id"], fixed_ips=[{"ip_address": ip} for ip in ips])["id"]
             for ips in (("10.0.0.15",), ("10.0.0.25", "10.1.0.15"), ("10.1.0.25",), ())]

    def numbers(*filters: str) -> set[int]:
        return {ports.index(port) for port in found(wire, "ports?" + "&".join(f"fixed_ips={one}" for one in filters))}

    assert numbers("ip_address=10.0.0.15") == {0}
    assert numbers("ip_address=10.0.0.15", "ip_address=10.1.0.25") == {0, 2}
    assert numbers(f"subnet_id={near}") == {0, 1}
    assert numbers(f"subnet_id={near}", f"subnet_id={far}") == {0, 1, 2}
    assert numbers(f"subnet_id={near}", "ip_address=10.1.0.15") == set()
    assert numbers("ip_address_substr=.15") == {0, 1}
    assert numbers("ip_address_substr=0.0.15", "ip_address_substr=1.0.25") == {0, 2}
    assert numbers("ip_address_substr=.15", f"subnet_id={far}") == {1}
    assert numbers("ip_address_substr=%25") == numbers("ip_address_substr=10_0") == numbers("ip_address=") == set()
    for bad in ("fixed_ips=10.0.0.15", "fixed_ips=", "fixed_ips=mac=1", "fixed_ips=ip_address=10.0.0.15&fixed_ips=x"):
        assert wire.ask("GET", f"ports?{bad}").status == 400


def test_where_a_vif_is_plugged_is_not_told_by_filters(wire: Wire) -> None:
    vifs = sorted(several(wire, "vifs", 2))
    assert found(wire, "vifs?host=hv2", "admin") == []
    assert len(found(wire, "vifs?interface=tap0", "service")) == 1
    assert found(wire, "vifs?host=hv2") == found(wire, "vifs?interface=tap0") == vifs
    assert found(wire, "vifs?sort_key=interface&sort_dir=desc") == found(wire, "vifs?sort_key=interface") == vifs
