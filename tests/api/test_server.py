"""The server around the application: what it cannot read is refused, and is nobody's to see."""
from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from naas_sdn import runtime
from tests.api.wire import Wire

LOG = logging.getLogger("naas_sdn.http")


@pytest.fixture
def address(wire: Wire) -> Iterator[tuple[str, int]]:
    listener = runtime.listen("127.0.0.1", 0)
    thread = runtime.spawn(runtime.serve_wsgi, listener, wire.app, LOG)
    yield listener.getsockname()
    thread.kill()
    listener.close()


def ask(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address) as client:
        client.settimeout(5)
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.mark.parametrize("request_line", [
    b"X-Auth-Token: very-secret", b"GET /v2.0/networks?very-secret HTTP/9", b"very-secret\nINFO everything is fine"])
def test_a_refused_line_is_not_logged(address: tuple[str, int], request_line: bytes,
                                      capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    assert b" 400 " in ask(address, request_line + b"\r\n\r\n")
    told = capfd.readouterr()
    assert "secret" not in told.out + told.err + caplog.text
    assert ask(address, b"GET /healthcheck HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_body_that_ends_early(address: tuple[str, int], wire: Wire) -> None:
    before = wire.dump()
    answer = ask(address, b"POST /v2.0/networks HTTP/1.0\r\nX-Auth-Token: " + wire.token("alice").encode()
                 + b'\r\nContent-Length: 100\r\n\r\n{"network": {}}')
    assert b" 400 " in answer.splitlines()[0]
    assert b"Content-Length" in answer.splitlines()[-1]
    assert wire.dump() == before
