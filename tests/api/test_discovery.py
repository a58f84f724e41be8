"""What a client finds out before it does anything."""
from __future__ import annotations

import json

import pytest
from webob import Request

from naas_sdn.rest.resources import COLLECTIONS
from tests.api.wire import Wire


def test_versions_and_health_need_no_token(wire: Wire) -> None:
    for path in ("/", "/healthcheck"):
        response = Request.blank(path, base_url="http://cloud.example:9696").get_response(wire.app)
        assert response.status_int == 200
    versions = json.loads(Request.blank("/", base_url="http://cloud.example:9696").get_response(wire.app).body)
    assert versions == {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [
        {"rel": "self", "href": "http://cloud.example:9696/v2.0/"}]}]}


def test_links_follow_a_proxy_that_says_so(wire: Wire) -> None:
    request = Request.blank("/")
    request.headers["X-Forwarded-Proto"], request.headers["X-Forwarded-Host"] = "https", "api.example"
    assert b"https://api.example/v2.0/" in request.get_response(wire.app).body


def test_everything_else_needs_one(wire: Wire) -> None:
    for token in (None, "", "wrong", "x" * 5000, "\udcff"):
        request = Request.blank("/v2.0/networks")
        if token is not None:
            request.environ["HTTP_X_AUTH_TOKEN"] = token
        response = request.get_response(wire.app)
        assert response.status_int == 401
        assert response.headers["WWW-Authenticate"].startswith('Keystone uri="')
        assert json.loads(response.body)["NeutronError"]["type"] == "HTTPUnauthorized"


def test_resources_and_extensions(wire: Wire) -> None:
    listed = {item["collection"] for item in wire.ask("GET", "").body["resources"]}
    assert {"networks", "subnets", "subnetpools", "address_scopes", "ports", "routers", "vifs", "routes", "hypervisors",
            "policies", "quotas", "agents", "availability_zones",
            "network_ip_availabilities", "security_groups", "security_group_rules",
            "default_security_group_rules", "address_groups", "rbac_policies"} <= listed
    extensions = wire.ask("GET", "extensions").body["extensions"]
    aliases = {extension["alias"] for extension in extensions}
    assert {"router", "qos", "naas-vif", "naas-route", "naas-statistics", "naas-isolation"} <= aliases
    for extension in extensions:
        assert wire.ask("GET", f"extensions/{extension['alias']}").body == {"extension": extension}
    assert wire.ask("GET", "extensions/nope").status == 404


def test_no_layer_3_no_layer_3_extensions(bare: Wire) -> None:
    aliases = {extension["alias"] for extension in bare.ask("GET", "extensions").body["extensions"]}
    assert not aliases & {"router", "naas-route"}
    assert "naas-vif" in aliases


@pytest.mark.parametrize("collection", [item.path for item in COLLECTIONS if not item.parent])
def test_every_collection_lists_in_each_spelling(wire: Wire, collection: str) -> None:
    plain = wire.ask("GET", collection, who="admin")
    assert plain.status == 200
    for spelling in (f"{collection}/", f"{collection}.json", collection.replace("_", "-")):
        assert wire.ask("GET", spelling, who="admin").body.keys() == plain.body.keys()


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "nothing", 404), ("GET", "networks/a/b/c", 404), ("PATCH", "networks", 405), ("DELETE", "networks", 405),
    ("POST", "networks/x", 405), ("PUT", "networks", 405), ("POST", "", 405), ("PUT", "extensions", 405),
    ("GET", "networks/%00", 400), ("GET", "networks/" + "x" * 3000, 404), ("GET", "%ff", 400),
    ("PUT", "networks/x/statistics", 405), ("GET", "ports/x/plug", 405),
])
def test_what_is_not_there(wire: Wire, method: str, path: str, status: int) -> None:
    assert wire.ask(method, path, {} if method in ("POST", "PUT") else None).status == status


def test_only_json_is_spoken(wire: Wire) -> None:
    assert wire.ask("GET", "networks", Accept="text/html").status == 406
    assert wire.ask("GET", "networks", Accept="*/*").status == 200
