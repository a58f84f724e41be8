"""Without authentication: whoever reaches the loopback is who he says, or an operator."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from webob import Request

from naas_sdn import config
from naas_sdn.errors import ConfigurationError
from naas_sdn.rest import auth
from tests.api.wire import Answer, Wire


@pytest.fixture
def lab(url: str) -> Iterator[Wire]:
    with Wire(url, options="[api]\nauth = noauth\n") as made:
        yield made


def ask(lab: Wire, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    return lab.ask(method, path, body, X_Auth_Token="notused", **headers)


def test_who_says_nothing_is_an_operator(lab: Wire) -> None:
    made = ask(lab, "POST", "networks", {"network": {"shared": True}}).body["network"]
    assert (made["project_id"], made["shared"]) == ("admin", True)
    request = Request.blank("/v2.0/networks", headers={"Authorization": "Basic !"})
    assert request.get_response(lab.app).status_int == 200


def test_who_says_something_is_just_that(lab: Wire) -> None:
    bob = {"X_Project_Id": "bob", "X_User_Id": "al"}
    assert ask(lab, "POST", "networks", {"network": {}}, **bob, X_Roles="reader").status == 403
    made = ask(lab, "POST", "networks", {"network": {}}, **bob, X_Roles="Reader, Member")
    assert (made.status, made.body["network"]["project_id"]) == (201, "bob")
    assert ask(lab, "POST", "networks", {"network": {"shared": True}}, **bob, X_Roles="member").status == 403
    assert ask(lab, "GET", "networks", X_Project_Id="alice", X_Roles="member").body["networks"] == []
    port = ask(lab, "POST", "ports", {"port": {"network_id": made.body["network"]["id"],
                                               "device_owner": "compute:nova"}}, **bob, X_Roles="member").body["port"]
    for service, status in (({}, 403), ({"X_Service_Roles": "member"}, 403), ({"X_Service_Roles": "service"}, 204)):
        assert ask(lab, "DELETE", f"ports/{port['id']}", **bob, X_Roles="member", **service).status == status


@pytest.mark.parametrize("headers", [{"X_Project_Id": "x" * 256}, {"X_User_Id": "a\tb"}, {"X_Project_Id": "a\udcff"}])
def test_names_that_cannot_be(lab: Wire, headers: dict[str, str]) -> None:
    before = lab.dump()
    answer = ask(lab, "POST", "networks", {"network": {}}, **headers)
    assert (answer.status, answer.error) == (400, "HTTPBadRequest")
    assert lab.dump() == before


@pytest.mark.parametrize(("headers", "status"), [
    ({"Host": "127.0.0.1:9696"}, 200), ({"Host": "[::1]:9696"}, 200), ({"Host": "localhost"}, 200),
    ({"Host": "evil.example"}, 401), ({"Host": "evil.example:9696"}, 401), ({"Host": "192.0.2.1"}, 401),
    ({"Host": "[::1"}, 401), ({"Host": ""}, 401), ({"Origin": "https://evil.example"}, 401), ({"Origin": "null"}, 401)])
def test_no_web_page_of_others_speaks_for_the_operator(lab: Wire, headers: dict[str, str], status: int) -> None:
    assert ask(lab, "GET", "networks", **headers).status == status


@pytest.mark.parametrize(("host", "good"), [
    ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
    ("192.0.2.1", False), ("::ffff:192.0.2.1", False), ("localhost.evil.example", False), ("lab", False)])
def test_it_is_for_the_loopback_only(wire: Wire, host: str, good: bool) -> None:
    conf = config.load(files=[])
    conf.set_override("auth", "noauth", "api")
    conf.set_override("host", host, "api")
    if good:
        assert auth.authenticator(conf, wire.database) is auth.by_what_is_said
    else:
        with pytest.raises(ConfigurationError, match="loopback"):
            auth.authenticator(conf, wire.database)
