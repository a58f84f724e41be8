"""Nova hears what becomes of its servers' ports, from a database that may be left at any moment."""
from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from naas_sdn import config, nova, runtime
from naas_sdn.db import announcements, status
from naas_sdn.db.rows import ComputeLookRow
from naas_sdn.db.session import Database
from naas_sdn.service import plugging
from tests.support.database import Cloud

SERVER = "8d3b5ba9-0f0a-4f43-8f2f-0d7b7a0f8a55"
PLUGGED, UNPLUGGED, FAILED = (("network-vif-plugged", "completed"), ("network-vif-unplugged", "completed"),
                              ("network-vif-plugged", "failed"))
CHANGED, DELETED = ("network-changed", None), ("network-vif-deleted", None)


class Nova:
    """An HTTP server with Nova's one call, on a socket; `heard` are its events, answered with `status`."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.status = 200
        self._socket = runtime.listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v2.1"
        self._thread = runtime.spawn(runtime.serve_wsgi, self._socket, self._serve, logging.getLogger(__name__))

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", "/v2.1/os-server-external-events")
        body = json.loads(environ["wsgi.input"].read())
        self.tokens.add(environ["HTTP_X_AUTH_TOKEN"])
        if self.status < 500:
            self.heard += body["events"]
        start_response(f"{self.status} x", [("Content-Type", "application/json")])
        return [b"{}"]

    def take(self, port: str) -> list[tuple[str, str | None]]:
        """(name, status) of what was heard of the port since."""
        taken, self.heard = self.heard, []
        assert {(event["server_uuid"], event["tag"]) for event in taken} <= {(SERVER, port)}
        return [(event["name"], event.get("status")) for event in taken]

    def close(self) -> None:
        self._thread.kill()
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Nova]:
    made = Nova()
    yield made
    made.close()


@pytest.fixture
def cloud(url: str) -> Iterator[Cloud]:
    database = Database(url, announcing=True)
    yield Cloud(database)
    database.close()


@pytest.fixture
def announcer(cloud: Cloud, server: Nova, tmp_path: Path) -> nova.Announcer:
    file = tmp_path / "naas.conf"
    file.write_text(f"[nova]\nevents = true\nauth_type = admin_token\nendpoint = {server.url}\ntoken = secret\n")
    return nova.Announcer(cloud.database, nova.poster(config.load(files=[str(file)])), 0.1)


def machine(cloud: Cloud, owner: str = "compute:nova", device: str = SERVER) -> str:
    """The id of a port that is plugged to hv1 and not acknowledged."""
    network, _ = cloud.network(f"10.{uuid4().bytes[0]}.0.0/24")
    port: str = cloud.make("ports", network_id=network, device_owner=owner, device_id=device)["id"]
    cloud.act("ports", port, "plug", host="hv1", interface="tap1")
    return port


def forward(cloud: Cloud, port: str, plugging_number: int = 1, *, alive: bool = True) -> None:
    with cloud.database.write() as session:
        status.set_alive(session, "hv1", alive)
        status.acknowledge(session, {port: plugging_number})


def settle(announcer: nova.Announcer) -> None:
    while announcer.step():
        pass


def test_a_port_is_plugged_when_its_switch_says_so_and_unplugged_when_it_ends(cloud: Cloud, server: Nova,
                                                                             announcer: nova.Announcer) -> None:
    port = machine(cloud)
    with cloud.database.write() as session:
        status.set_alive(session, "hv1", True)
    settle(announcer)
    assert server.take(port) == []
    forward(cloud, port)
    settle(announcer)
    assert (server.take(port), server.tokens) == ([PLUGGED], {"secret"})
    settle(announcer)
    assert server.take(port) == []
    with cloud.database.write() as session:
        plugging.interfaces_reported(session, "hv1", [])
    settle(announcer)
    assert server.take(port) == [UNPLUGGED]
    forward(cloud, port, 2)
    settle(announcer)
    assert server.take(port) == [PLUGGED]
    forward(cloud, port, 2, alive=False)
    settle(announcer)
    assert server.take(port) == [UNPLUGGED]
    forward(cloud, port, 2)
    cloud.act("ports", port, "unplug")
    settle(announcer)
    # It was back for a moment that nobody asked about.
    assert server.take(port) == []


def test_what_cannot_be_realised_has_failed(cloud: Cloud, server: Nova, announcer: nova.Announcer) -> None:
    port = machine(cloud)
    forward(cloud, port)
    for reason, expected in (("refused", [FAILED]), (None, [PLUGGED])):
        with cloud.database.write() as session:
            status.report_error(session, "port", port, "hv1", reason)
        settle(announcer)
        assert server.take(port) == expected


def test_changes_and_deletion_by_the_api_are_told(cloud: Cloud, server: Nova, announcer: nova.Announcer) -> None:
    port = machine(cloud)
    settle(announcer)
    cloud.change("ports", port, name="x")
    settle(announcer)
    assert server.take(port) == [CHANGED]
    forward(cloud, port)
    settle(announcer)
    assert server.take(port) == [PLUGGED]
    cloud.change("ports", port, admin_state_up=False)
    settle(announcer)
    assert server.take(port) == [UNPLUGGED, CHANGED]
    cloud.delete("ports", port)
    settle(announcer)
    assert server.take(port) == [DELETED]


@pytest.mark.parametrize(("owner", "device"), [("", SERVER), ("baremetal:none", SERVER), ("compute:nova", "no-uuid")])
def test_only_servers_ports_are_told_of(cloud: Cloud, server: Nova, announcer: nova.Announcer, owner: str,
                                        device: str) -> None:
    port = machine(cloud, owner, device)
    forward(cloud, port)
    cloud.change("ports", port, name="x")
    cloud.delete("ports", port)
    settle(announcer)
    assert server.take(port) == []


def test_a_nova_that_is_away_hears_when_it_is_back(cloud: Cloud, server: Nova, announcer: nova.Announcer) -> None:
    port = machine(cloud)
    forward(cloud, port)
    server.status = 503
    with pytest.raises(OSError, match="503"):
        announcer.step()
    server.status = 200
    settle(announcer)
    assert server.take(port) == [PLUGGED]


@pytest.mark.parametrize("answer", [207, 400, 404])
def test_what_nova_refuses_is_not_sent_again(cloud: Cloud, server: Nova, announcer: nova.Announcer,
                                             answer: int) -> None:
    port = machine(cloud)
    forward(cloud, port)
    server.status = answer
    settle(announcer)
    assert server.take(port) == [PLUGGED]
    server.status = 200
    settle(announcer)
    assert server.take(port) == []


def test_a_crash_after_sending_sends_again_and_one_before_loses_nothing(cloud: Cloud, server: Nova,
                                                                        announcer: nova.Announcer) -> None:
    port = machine(cloud)
    forward(cloud, port)
    sent = []
    for _ in range(2):
        with cloud.database.read() as session:
            sent.append(announcements.due(session).events)
    assert sent[0] == sent[1] != ()
    settle(announcer)
    assert server.take(port) == [PLUGGED]


def test_it_runs_by_itself_and_goes_on_after_an_error(cloud: Cloud, server: Nova, announcer: nova.Announcer) -> None:
    port = machine(cloud)
    forward(cloud, port)
    server.status = 500
    thread = runtime.spawn(announcer.run)
    try:
        with runtime.Timeout(20):
            while not server.tokens:
                runtime.sleep(0.01)
            server.status = 200
            while not server.heard:
                runtime.sleep(0.01)
    finally:
        thread.kill()
    assert server.take(port) == [PLUGGED]


def test_many_are_told_in_batches(cloud: Cloud, server: Nova, announcer: nova.Announcer,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "BATCH", 2)
    port = machine(cloud)
    for name in "abcde":
        cloud.change("ports", port, name=name)
    forward(cloud, port)
    settle(announcer)
    assert sorted(set(server.take(port)), key=str) == [CHANGED, PLUGGED]
    with cloud.database.read() as session:
        assert list(session.scalars(select(ComputeLookRow))) == []


def test_nothing_is_kept_for_a_nova_that_nobody_asked_for(url: str) -> None:
    database = Database(url)
    cloud = Cloud(database)
    port = machine(cloud)
    forward(cloud, port)
    cloud.change("ports", port, name="x")
    cloud.delete("ports", port)
    with database.read() as session:
        assert list(session.scalars(select(ComputeLookRow))) == []
    database.close()
