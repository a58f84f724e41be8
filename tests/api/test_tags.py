"""Tags: their own URLs, lists filtered by them, and what they cost."""
from __future__ import annotations

from typing import Any

import pytest

from naas_sdn.db import journal
from naas_sdn.rest.resources import BY_PATH
from tests.api.test_statements import AUTHENTICATION, statements
from tests.api.wire import GONE, Wire

TAGGED = ("networks", "subnets", "ports", "routers", "vifs", "routes", "qos/policies", "trunks", "bridges",
          "security_groups", "security_group_rules", "floatingips")
MISSING = dict(zip(TAGGED, ("NetworkNotFound", "SubnetNotFound", "PortNotFound", "RouterNotFound", "VifNotFound",
                            "RouteNotFound", "QosPolicyNotFound", "TrunkNotFound", "BridgeNotFound",
                            "SecurityGroupNotFound",
                            "SecurityGroupRuleNotFound", "FloatingIPNotFound"), strict=True))


def several(wire: Wire, collection: str, number: int = 1) -> list[str]:
    """Ids of that many new objects of project alice."""
    if collection == "subnets":
        return [wire.network(f"10.{index}.0.0/24")["subnets"][0] for index in range(number)]
    if collection == "routes":
        ends = [wire.network(f"10.{index}.0.0/24")["subnets"][0] for index in range(number + 1)]
        return [wire.make("routes", source_subnet_id=ends[index], destination_subnet_id=ends[index + 1])["id"]
                for index in range(number)]
    if collection == "security_group_rules":
        group = wire.make("security_groups")["id"]
        return [wire.make(collection, security_group_id=group, direction="ingress", protocol=index)["id"]
                for index in range(number)]
    if collection == "floatingips":
        network = wire.network("192.0.2.0/24", "admin", router__external=True)["id"]
        return [wire.make("floatingips", floating_network_id=network)["id"] for _ in range(number)]
    if collection == "bridges":
        network = wire.network()["id"]
        return [wire.make("bridges", network_id=network)["id"] for _ in range(number)]
    if collection not in ("ports", "vifs", "trunks"):
        who = "manager" if collection == "qos/policies" else "alice"
        return [wire.make(collection, who)["id"] for _ in range(number)]
    network = wire.network()["id"]
    ports = [wire.make("ports", network_id=network)["id"] for _ in range(number)]
    if collection == "ports":
        return ports
    if collection == "trunks":
        return [wire.make("trunks", port_id=port)["id"] for port in ports]
    return [wire.make("vifs", "admin", port_id=port, host="hv1", interface=f"tap{index}")["id"]
            for index, port in enumerate(ports)]


def put(wire: Wire, url: str, *tags: str) -> None:
    assert wire.ask("PUT", f"{url}/tags", {"tags": list(tags)}).status == 200


def shown(wire: Wire, url: str) -> dict[str, Any]:
    return dict(next(iter(wire.ask("GET", url).body.values())))


@pytest.mark.parametrize("collection", TAGGED)
def test_tags_have_urls(wire: Wire, collection: str) -> None:
    [identifier] = several(wire, collection)
    url = f"{collection}/{identifier}"
    assert shown(wire, url)["tags"] == []

    def said(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = wire.ask(method, f"{url}/{path}", body)
        return answer.status, answer.body

    assert said("GET", "tags") == (200, {"tags": []})
    assert said("PUT", "tags", {"tags": ["red", "blue"]}) == (200, {"tags": ["blue", "red"]})
    assert said("POST", "tags", {"tags": ["red", "green"]}) == (200, {"tags": ["blue", "green", "red"]})
    assert said("GET", "tags/green") == (204, None)
    assert said("GET", "tags/gree")[0] == 404
    assert said("DELETE", "tags/green") == (204, None)
    assert wire.ask("DELETE", f"{url}/tags/green").error == "TagNotFound"
    assert said("PUT", "tags/a%20%C3%A9%2Fb") == said("PUT", "tags/a%20%C3%A9%2Fb") == (201, None)
    whole = ["a é/b", "blue", "red"]
    assert said("GET", "tags") == (200, {"tags": whole})
    assert shown(wire, url)["tags"] == whole
    [listed] = [item for item in wire.ask("GET", collection).body[BY_PATH[collection].envelope]
                if item["id"] == identifier]
    assert listed["tags"] == whole
    assert wire.ask("GET", f"{url}?fields=tags").body == {BY_PATH[collection].member: {"tags": whole}}
    assert said("DELETE", "tags") == said("DELETE", "tags") == (204, None)
    assert said("GET", "tags") == (200, {"tags": []})


def test_a_put_answers_with_a_body_of_null(wire: Wire) -> None:
    request = f"networks/{wire.make('networks')['id']}/tags/a"
    assert wire.ask("PUT", request).headers["Content-Length"] == "4"


@pytest.mark.parametrize("collection", TAGGED)
@pytest.mark.parametrize("who", ["bob", "alice"])
def test_tags_of_what_is_not_there(wire: Wire, collection: str, who: str) -> None:
    """Or not for him: in the words of what is not there."""
    identifier = several(wire, collection)[0] if who == "bob" else GONE
    for method, path, body in (("GET", "tags", None), ("PUT", "tags", {"tags": []}), ("POST", "tags", {"tags": ["a"]}),
                               ("DELETE", "tags", None), ("GET", "tags/a", None), ("PUT", "tags/a", None),
                               ("DELETE", "tags/a", None)):
        answer = wire.ask(method, f"{collection}/{identifier}/{path}", body, who=who)
        assert (answer.status, answer.error) == (404, MISSING[collection]), (method, path)


def test_who_only_sees_may_not_tag(wire: Wire) -> None:
    shared = wire.make("networks", "admin", shared=True)["id"]
    own = wire.make("networks")["id"]
    for who, network in (("alice", shared), ("reader", own)):
        assert wire.ask("GET", f"networks/{network}/tags", who=who).status == 200
        for method, path, body in (("PUT", "tags", {"tags": ["a"]}), ("POST", "tags", {"tags": ["a"]}),
                                   ("DELETE", "tags", None), ("PUT", "tags/a", None), ("DELETE", "tags/a", None)):
            answer = wire.ask(method, f"networks/{network}/{path}", body, who=who)
            assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")


@pytest.mark.parametrize("tags", [
    ["a", "a"], ["a" * 256], [""], [1], [None], "a", {"a": 1}, [["a"]], ["a\0"], ["\ud800"],
    [str(number) for number in range(51)], [str(number) for number in range(201)],
])
def test_tags_that_are_none(wire: Wire, tags: Any) -> None:
    url = f"networks/{wire.make('networks')['id']}"
    for method in ("PUT", "POST"):
        assert wire.ask(method, f"{url}/tags", {"tags": tags}).status == 400
    network = wire.make("networks")["id"]
    assert wire.ask("POST", "ports", {"port": {"network_id": network, "tags": tags}}).status == 400
    assert shown(wire, url)["tags"] == []


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("PUT", "tags", None, 400), ("PUT", "tags", {}, 400), ("PUT", "tags", ["a"], 400),
    ("POST", "tags", {"tag": []}, 400), ("PUT", "tags", {"tags": [], "more": 1}, 400),
    ("DELETE", "tags", {"tags": []}, 400), ("DELETE", "tags/a", {"tags": []}, 400),
    ("PATCH", "tags", {"tags": []}, 405), ("POST", "tags/a", None, 405),
    ("PUT", "tags/" + "a" * 256, None, 400), ("PUT", "tags/%00", None, 400), ("PUT", "tags/%ff", None, 400),
])
def test_bad_requests(wire: Wire, method: str, path: str, body: Any, status: int) -> None:
    answer = wire.ask(method, f"networks/{wire.make('networks')['id']}/{path}", body)
    assert answer.status == status, answer.body


def test_fifty_and_no_more(wire: Wire) -> None:
    url = f"networks/{wire.make('networks')['id']}"
    put(wire, url, *map(str, range(50)))
    assert wire.ask("PUT", f"{url}/tags/7").status == 201
    assert wire.ask("PUT", f"{url}/tags/50").status == 400
    assert wire.ask("POST", f"{url}/tags", {"tags": ["50"]}).status == 400
    assert len(shown(wire, url)["tags"]) == 50


def test_what_has_no_tags(wire: Wire) -> None:
    [hypervisor, _] = wire.ask("GET", "hypervisors", who="admin").body["hypervisors"]
    assert wire.ask("GET", f"hypervisors/{hypervisor['id']}/tags", who="admin").status == 404
    assert wire.ask("GET", "hypervisors?tags=a", who="admin").status == 400


def test_a_policy_goes_by_neutrons_short_path_too(wire: Wire) -> None:
    [policy] = several(wire, "qos/policies")
    put(wire, f"policies/{policy}", "gold")
    assert shown(wire, f"qos/policies/{policy}")["tags"] == ["gold"]
    assert [item["id"] for item in wire.ask("GET", "policies?tags=gold").body["policies"]] == [policy]


def test_a_changed_tag_is_a_revision(wire: Wire) -> None:
    url = f"networks/{wire.make('networks')['id']}"

    def revision() -> int:
        return int(shown(wire, url)["revision_number"])

    first = revision()
    put(wire, url, "a", "b")
    assert revision() == first + 1
    put(wire, url, "b", "a")
    assert wire.ask("PUT", f"{url}/tags/a").status == 201
    assert revision() == first + 1
    assert wire.ask("DELETE", f"{url}/tags/a").status == 204
    assert revision() == first + 2
    assert wire.ask("PUT", f"{url}/tags/c", If_Match=f"revision_number={first}").status == 412
    assert wire.ask("PUT", f"{url}/tags/c", If_Match=f"revision_number={first + 2}").status == 201
    assert shown(wire, url)["tags"] == ["b", "c"]


@pytest.mark.parametrize("collection", TAGGED)
def test_no_data_plane_hears_of_a_tag(wire: Wire, collection: str) -> None:
    """What is not in the journal sends nothing to any switch."""
    [identifier] = several(wire, collection)
    url = f"{collection}/{identifier}"
    with wire.database.read() as session:
        before = journal.last(session)
    put(wire, url, "a", "b")
    for method, path in (("POST", "tags"), ("PUT", "tags/d"), ("DELETE", "tags/d"), ("DELETE", "tags")):
        body = {"tags": ["c"]} if method == "POST" else None
        assert wire.ask(method, f"{url}/{path}", body).status < 300
    with wire.database.read() as session:
        assert journal.read(session, before) == []


def test_ports_are_made_with_tags(wire: Wire) -> None:
    network = wire.network()["id"]
    made = wire.make("ports", network_id=network, tags=["b", "a"])
    assert made["tags"] == ["a", "b"]
    assert shown(wire, f"ports/{made['id']}") == made
    answer = wire.ask("POST", "ports", {"ports": [{"network_id": network, "tags": ["x"]}, {"network_id": network}]})
    assert [port["tags"] for port in answer.body["ports"]] == [["x"], []]
    assert [shown(wire, f"ports/{port['id']}") for port in answer.body["ports"]] == answer.body["ports"]
    for method, path in (("POST", "networks"), ("PUT", f"networks/{network}"), ("PUT", f"ports/{made['id']}")):
        member = "port" if "port" in path else "network"
        assert wire.ask(method, path, {member: {"tags": ["a"]}}).status == 400


def test_tags_are_in_every_answer_that_shows_the_object(wire: Wire) -> None:
    """PUT, and the actions; a router's interface is not the router."""
    network = wire.network()
    port = wire.make("ports", network_id=network["id"], tags=["a"])["id"]
    assert wire.ask("PUT", f"ports/{port}", {"port": {"name": "n"}}).body["port"]["tags"] == ["a"]
    plugged = wire.ask("PUT", f"ports/{port}/plug", {"host": "hv1", "interface": "tap"}, who="admin").body["port"]
    assert plugged["tags"] == ["a"]
    vif = plugged["vif_id"]
    put(wire, f"vifs/{vif}", "v")
    subnet = {"subnet_id": network["subnets"][0]}
    assert wire.ask("PUT", f"vifs/{vif}/detach_subnet", subnet).body["vif"]["tags"] == ["v"]
    router = wire.make("routers")["id"]
    put(wire, f"routers/{router}", "r")
    assert "tags" not in wire.ask("PUT", f"routers/{router}/add_router_interface", subnet).body
    assert wire.ask("GET", f"ports/{port}/statistics").status == 200


@pytest.mark.parametrize("collection", TAGGED)
def test_filters(wire: Wire, collection: str) -> None:
    sets = ((), ("red",), ("red", "blue"), ("blue",), ("red", "blue", "green"))
    ids = several(wire, collection, len(sets))
    for identifier, tags in zip(ids, sets, strict=True):
        put(wire, f"{collection}/{identifier}", *tags)

    def found(query: str) -> set[int]:
        answer = wire.ask("GET", f"{collection}?{query}")
        assert answer.status == 200, answer.body
        listed = [item["id"] for item in answer.body[BY_PATH[collection].envelope]]
        return {ids.index(identifier) for identifier in listed if identifier in ids}

    assert found("tags=red") == {1, 2, 4}
    assert found("tags=red,blue") == found("tags=red&tags=blue") == found("tags=red,blue,red") == {2, 4}
    assert found("tags-any=blue,green") == {2, 3, 4}
    assert found("not-tags=red,blue") == {0, 1, 3}
    assert found("not-tags-any=red,green") == {0, 3}
    assert found("tags=blue&not-tags=green") == {2, 3}
    assert found("tags-any=red,blue&not-tags-any=green&tags=red") == {1, 2}
    assert found("tags=") == found("tags-any=") == found("tags=Red") == found("tags=re%25") == set()
    assert found("not-tags=") == found("not-tags-any=") == {0, 1, 2, 3, 4}
    assert found("tags=" + ",".join(map(str, range(1500)))) == set()
    assert found("tags-any=red," + ",".join(map(str, range(1500)))) == {1, 2, 4}


def test_pages_of_what_has_a_tag(wire: Wire) -> None:
    ids = sorted(several(wire, "ports", 7))
    for port in ids[::2]:
        put(wire, f"ports/{port}", "odd")
    first = wire.ask("GET", "ports?tags=odd&limit=3").body
    assert [port["id"] for port in first["ports"]] == ids[0:6:2]
    [link] = [link["href"] for link in first["ports_links"] if link["rel"] == "next"]
    rest = wire.ask("GET", link.split("/v2.0/")[1]).body["ports"]
    assert [port["id"] for port in rest] == ids[6:]
    assert [port["tags"] for port in first["ports"] + rest] == [["odd"]] * 4


def test_what_a_page_and_a_filter_cost(wire: Wire) -> None:
    """A statement for the tags of all; the filter is part of the list's."""
    ports = several(wire, "ports", 5)

    def cost(query: str) -> int:
        with statements() as heard:
            assert wire.ask("GET", f"ports?{query}").status == 200
        assert sum("FROM tags \n" in statement and "FROM ports" not in statement for statement in heard) <= 1
        return len(heard)

    plain = cost("")
    for port in ports:
        put(wire, f"ports/{port}", "a", "b")
    assert cost("") == cost("tags=a,b") == cost("not-tags=c&tags-any=a,b") == plain


@pytest.mark.parametrize("tags", [[], ["a"], ["a", "b", "c"]])
def test_what_a_port_with_tags_costs(wire: Wire, tags: list[str]) -> None:
    """One statement more than without, however many."""
    network = wire.network()["id"]
    wire.ask("GET", "security-groups")
    with statements() as heard:
        wire.make("ports", network_id=network, tags=tags)
    assert len(heard) == AUTHENTICATION + 12 + bool(tags), heard


@pytest.mark.parametrize("collection", TAGGED)
def test_tags_end_with_their_object(wire: Wire, collection: str) -> None:
    url = f"{collection}/{several(wire, collection)[0]}"
    put(wire, url, "fleeting")
    assert any("fleeting" in line for line in wire.dump())
    assert wire.ask("DELETE", url, who="admin").status == 204
    assert not any("fleeting" in line for line in wire.dump())
