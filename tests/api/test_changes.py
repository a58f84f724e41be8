"""Who changed what: one line each, and the request's ID from there to the journal."""
from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from naas_sdn.db import journal
from tests.api.wire import GONE, Wire


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    found = [json.loads(record.getMessage()) for record in caplog.records if record.name == "naas_sdn.changes"]
    caplog.clear()
    return found


def test_every_change_and_attempt_is_a_line(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "naas_sdn.changes")
    answer = wire.ask("POST", "networks", {"network": {"name": "very-secret"}})
    network = answer.body["network"]["id"]
    [line] = lines(caplog)
    assert line.pop("when")
    assert line == {"request": answer.headers["x-openstack-request-id"], "project": "alice", "user": "alice",
                    "method": "POST", "resource": "networks", "ids": [network], "status": 201}
    wire.ask("POST", "networks", {"networks": [{}, {}]})
    assert len(lines(caplog)[0]["ids"]) == 2
    wire.ask("PUT", f"networks/{network}", {"network": {"name": "x"}}, who="bob")
    wire.ask("PUT", f"ports/{GONE}/unplug", {}, who="service")
    wire.ask("DELETE", f"networks/{network}")
    wire.ask("DELETE", "networks/a%0Ab")
    assert [(line["user"], line["resource"], line["ids"], line["status"], line.get("action"))
            for line in lines(caplog)] == [
        ("bob", "networks", [network], 404, None), ("service", "ports", [GONE], 404, "unplug"),
        ("alice", "networks", [network], 204, None), ("alice", "networks", ["a\nb"], 404, None)]


def test_reading_and_strangers_are_no_lines_and_no_secret_is_in_one(
        wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wire.ask("GET", "networks")
    wire.ask("POST", "networks", {"network": {}}, X_Auth_Token="stranger")
    assert lines(caplog) == []
    wire.ask("POST", "networks", {"network": {"name": "very-secret"}})
    assert "very-secret" not in caplog.text
    assert wire.token("alice") not in caplog.text


def test_the_journal_bears_the_request(wire: Wire) -> None:
    with wire.database.read() as session:
        before = journal.last(session)
    answer = wire.ask("POST", "networks", {"network": {}})
    with wire.database.read() as session:
        entries = journal.read(session, before)
    assert {entry.request_id for entry in entries} == {answer.headers["x-openstack-request-id"]}
