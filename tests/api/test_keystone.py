"""Keystone says who asks: a real one, and one that does not answer."""
from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest
import requests
from openstack import exceptions
from webob import Request

from naas_sdn import config, runtime
from naas_sdn.errors import ConfigurationError
from naas_sdn.rest.keystone import by_keystone
from tests.api.wire import Answer, Wire
from tests.support.controller import Controller, free_port, run_command
from tests.support.fleet import until
from tests.support.keystone import PASSWORD, PUBLIC, Keystone, options

pytestmark = [pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
              # pycadf's and the SDK's, of their own dependencies.
              pytest.mark.filterwarnings("ignore::DeprecationWarning")]

@pytest.fixture(scope="module")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    with Keystone(tmp_path_factory.mktemp("keystone")) as made:
        blue, service = made.make_project("blue"), made.make_project("service")
        made.make_project("green")
        made.make_role("accountant")
        for name in ("member", "reader", "manager", "accountant"):
            made.make_user(name, blue, name)
        made.make_user("naas", service, "service")
        made.make_user("nova", service, "service")
        yield made


@pytest.fixture(params=["decides", "leaves it to us"])
def cloud(request: pytest.FixtureRequest, keystone: Keystone, sqlite_url: str) -> Iterator[Wire]:
    """With the filter deciding by itself, and told not to."""
    later = "False" if request.param == "decides" else "True"
    with Wire(sqlite_url, options=options(keystone.url, delay_auth_decision=later)) as made:
        yield made


def ask(cloud: Wire, token: str | None, method: str = "GET", path: str = "networks", **headers: str) -> Answer:
    body = {"network": {}} if method == "POST" else None
    return cloud.ask(method, path, body, X_Auth_Token=token or "", **headers)


def test_who_somebody_is_and_what_he_may(keystone: Keystone, cloud: Wire, caplog: pytest.LogCaptureFixture) -> None:
    projects = {item["name"]: item["id"] for item in keystone.ask("GET", "projects")["projects"]}
    users = {item["name"]: item["id"] for item in keystone.ask("GET", "users")["users"]}
    member, reader, nova = (keystone.token(name, name, project) for name, project in (
        ("member", "blue"), ("reader", "blue"), ("nova", "service")))
    admin = keystone.token("admin", PASSWORD, "admin")
    caplog.set_level(logging.INFO, "naas_sdn.changes")
    made = ask(cloud, member, "POST")
    assert (made.status, made.body["network"]["project_id"]) == (201, projects["blue"])
    [line] = [json.loads(record.message) for record in caplog.records if record.name == "naas_sdn.changes"]
    assert (line["user"], line["project"]) == (users["member"], projects["blue"])
    assert ask(cloud, reader, "POST").status == 403
    for token in (member, reader, nova, admin):
        assert ask(cloud, token).body["networks"] == [made.body["network"]] or token is admin
    assert cloud.ask("GET", "hypervisors", X_Auth_Token=nova).body["hypervisors"] != []
    assert cloud.ask("GET", "hypervisors", X_Auth_Token=member).body["hypervisors"] == []
    assert len(ask(cloud, admin).body["networks"]) == 1


def test_whom_keystone_does_not_know(keystone: Keystone, cloud: Wire) -> None:
    revoked = keystone.token("member", "member", "blue")
    keystone.revoke(revoked)
    for token in (None, "wrong", revoked, "x" * 20000, "\xff", "\udcff", "a b"):
        answer = ask(cloud, token)
        assert (answer.status, answer.error) == (401, "HTTPUnauthorized"), token
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{PUBLIC}"'
    good = keystone.token("member", "member", "blue")
    for token in ("wrong", revoked, "\xff"):
        assert ask(cloud, good, X_Service_Token=token).status == 401
    assert ask(cloud, "", Authorization="Basic YWw6YWw=").status == 401
    assert ask(cloud, "", X_Storage_Token=good).status == 401


def test_headers_of_a_client_are_not_keystone_s(keystone: Keystone, cloud: Wire) -> None:
    claims = {"X_Identity_Status": "Confirmed", "X_Roles": "admin", "X_Project_Id": "blue", "X_User_Id": "admin",
              "X_Service_Roles": "service", "X_Service_Identity_Status": "Confirmed"}
    assert ask(cloud, None, **claims).status == 401
    assert ask(cloud, "wrong", **claims).status == 401
    reader = keystone.token("reader", "reader", "blue")
    assert ask(cloud, reader, "POST", **claims).status == 403
    member = keystone.token("member", "member", "blue")
    network = ask(cloud, member, "POST").body["network"]
    port = cloud.ask("POST", "ports", {"port": {"network_id": network["id"], "device_owner": "compute:nova"}},
                     X_Auth_Token=member).body["port"]
    assert ask(cloud, member, "DELETE", f"ports/{port['id']}", **claims).status == 403
    assert ask(cloud, member, "DELETE", f"ports/{port['id']}", X_Service_Token=member).status in (401, 403)
    nova = keystone.token("nova", "nova", "service")
    assert ask(cloud, member, "DELETE", f"ports/{port['id']}", X_Service_Token=nova).status == 204


def test_a_token_of_no_project(keystone: Keystone, cloud: Wire) -> None:
    answer = ask(cloud, keystone.token("member", "member", None))
    assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")
    assert "project" in answer.message


@pytest.mark.parametrize(("seconds", "times"), [(300, 1), (-1, 3)])
def test_it_is_asked_once_for_each_token(keystone: Keystone, sqlite_url: str, seconds: int, times: int) -> None:
    """Unless it is to be asked always."""
    token = keystone.token("member", "member", "blue")
    with Wire(sqlite_url, options=options(keystone.url, token_cache_time=str(seconds))) as cloud:
        before = keystone.validations
        for _ in range(3):
            assert ask(cloud, token).status == 200
        # It notes a request after it has answered.
        assert ask(cloud, "unknown").status == 401
        until(lambda: keystone.validations > before + times)
        assert keystone.validations == before + times + 1


def test_what_needs_no_token_does_not_wait_for_keystone(sqlite_url: str) -> None:
    """Nor does anybody else wait for a request that does; one that gets no answer is a 503."""
    with (socket.create_server(("127.0.0.1", 0)) as silent,
          Wire(sqlite_url, options=options(f"http://127.0.0.1:{silent.getsockname()[1]}/v3",
                                                     http_connect_timeout="1")) as cloud):
        started = time.monotonic()
        waiting = runtime.spawn(ask, cloud, "some-token")
        runtime.sleep(0.1)
        for path in ("/", "/healthz", "/healthcheck", "/openapi.json"):
            assert Request.blank(path, headers={"X-Auth-Token": "x"}).get_response(cloud.app).status_int == 200
        assert time.monotonic() - started < 1
        answer = waiting.wait()
        assert (answer.status, answer.error) == (503, "ServiceUnavailable")
        assert answer.headers["Retry-After"]
        assert time.monotonic() - started < 10


def test_nobody_answers(sqlite_url: str) -> None:
    with Wire(sqlite_url, options=options(f"http://127.0.0.1:{free_port()}/v3")) as cloud:
        assert ask(cloud, "some-token").status == 503


def test_a_keystone_that_does_not_know_us(keystone: Keystone, sqlite_url: str) -> None:
    token = keystone.token("member", "member", "blue")
    with Wire(sqlite_url, options=options(keystone.url, password="another")) as cloud:
        assert ask(cloud, token).status == 503


@pytest.mark.parametrize(("section", "why"), [
    ("", "auth_type is missing"), ("auth_type = nonsense", "nonsense"),
    ("auth_type = password", "auth_url"),
    ("auth_type = password\nauth_url = http://127.0.0.1\nmemcache_security_strategy = MAC", "memcache_secret_key"),
    ("auth_type = password\nauth_url = http://127.0.0.1\ntoken_cache_time = long", "token_cache_time")])
def test_options_that_cannot_be(tmp_path: Path, section: str, why: str) -> None:
    path = tmp_path / "bad.conf"
    path.write_text(f"[keystone_authtoken]\n{section}\n")
    with pytest.raises(ConfigurationError, match=why):
        by_keystone(config.load(files=[str(path)]))


@pytest.mark.parametrize("workers", [0, 1], ids=["in the controller", "a worker"])
def test_a_client_finds_us_by_the_catalog(keystone: Keystone, tmp_path: Path, workers: int) -> None:
    made = Controller(tmp_path, ("127.0.0.1", free_port()), workers=workers)
    made.config.write_text(made.config.read_text() + options(keystone.url))
    made.start()
    try:
        keystone.publish("network", made.url)
        with openstack.connect(auth_type="password", load_yaml_config=False, load_envvars=False, region_name="one",
                               network_endpoint_override=made.url,
                               auth={"auth_url": keystone.url, "username": "member", "password": "member",
                                     "project_name": "blue", "user_domain_id": "default",
                                     "project_domain_id": "default"}) as cloud:
            network = cloud.network.create_network(name="blue")
            assert network.project_id == cloud.current_project_id
            with pytest.raises(exceptions.ForbiddenException):
                cloud.network.create_network(is_shared=True)
        with requests.Session() as session:
            session.trust_env = False
            refused = session.get(f"{made.url}/v2.0/networks", headers={"X-Auth-Token": "no"}, timeout=9)
            assert refused.status_code == 401
    finally:
        status = made.stop()
    assert (made.complaints(), status) == ([], 0)


def test_a_configuration_that_cannot_be_is_told_at_start(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text(f"[api]\nauth = keystone\nworkers = 1\n[database]\nconnection = sqlite:///{tmp_path}/naas.db\n")
    done = run_command("serve", "--config-file", str(path))
    assert done.returncode == 1
    assert "auth_type is missing" in done.stderr
    assert "Traceback" not in done.stderr
