"""Whether the service works, told to whoever asks."""
from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from webob import Request

from naas_sdn import runtime
from naas_sdn.db import heartbeats
from naas_sdn.db.rows import HeartbeatRow, now
from naas_sdn.plugins.dispatcher import Dispatcher
from naas_sdn.rest import health
from tests.api.described import misfits
from tests.api.wire import Wire
from tests.support.fleet import until
from tests.support.locked import path_of


def ask(wire: Wire, path: str) -> tuple[int, Any]:
    response = Request.blank(path).get_response(wire.app)
    assert misfits("GET", path, response.status_int, response.json_body) == []
    return response.status_int, response.json_body


def test_a_process_that_answers(wire: Wire) -> None:
    assert ask(wire, "/healthz") == (200, {"status": "ok"})
    assert ask(wire, "/healthcheck")[0] == 200


def test_it_is_ready_while_the_loop_turns(wire: Wire) -> None:
    status, told = ask(wire, "/readyz")
    assert (status, told["ready"]) == (503, False)
    assert "never run" in told["reasons"][0]
    thread = runtime.spawn(Dispatcher(wire.database, []).run)
    until(lambda: ask(wire, "/readyz") == (200, {"ready": True, "reasons": []}))
    thread.kill()
    with wire.database.write() as session:
        row = session.get(HeartbeatRow, heartbeats.DISPATCHER)
        assert row is not None
        row.beat_at = now() - timedelta(seconds=60)
    status, told = ask(wire, "/readyz")
    assert (status, told["ready"]) == (503, False)
    assert "no sign of life for 6" in told["reasons"][0]


def test_a_file_that_cannot_be_read(sqlite_wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    wire = sqlite_wire
    with wire.database.write() as session:
        heartbeats.beat(session, heartbeats.DISPATCHER)
    with sqlite3.connect(path_of(wire.database)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        wire.database.close()
        other.execute("BEGIN EXCLUSIVE")
        status, told = ask(wire, "/readyz")
    other.close()
    assert (status, told["ready"]) == (503, False)
    assert "database" in told["reasons"][0]
