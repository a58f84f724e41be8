"""HTTP requests: as the WSGI application gets them, and as bytes to the server's socket.

A message is a request as it goes over the wire. Every answer is JSON with a status below 500, or 501.
"""
from __future__ import annotations

import io
import json
import logging
import re
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

from fuzz.kind import Kind, Take
from fuzz.mutation import Seed, mutate
from naas_sdn import runtime
from naas_sdn.db.migrations import migrate
from naas_sdn.rest.resources import COLLECTIONS
from tests.api.wire import Wire

TOKENS = ("${ADMIN}", "${ALICE}")
"""In a request, for a token that is valid where the request is sent."""

FRESH = 2000
"""Requests after which the database is put back: what was made would make lists ever longer."""

NETWORK, SUBNET, PORT = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
"""In a request, for ids of what is there."""

MADE = (NETWORK, SUBNET, PORT)

ODD = ("", "null", "true", "-1", "0", "1e999", "NaN", "9" * 400, "0x10", "\\u0000", "\\ud800", "\x00", "é", "٣", "[]",
       "{}", "[" * 40 + "]" * 40, '{"a":' * 40, '"', "'", ";--", "%", "%00", "%ff", "%2e%2e", "../..", "*",
       "10.0.0.0/33", "::1", "10.0.0.1", "010.0.0.1", "ff:ff:ff:ff:ff:ff", "a" * 300, "\r\n", "\n\n", " ", "  ",
       "text/plain", "chunked", "-0", "1.5", "18446744073709551616", "asc", "id", "name", "fields", "limit",
       "marker", "sort_key", *MADE)

_PIECES = re.compile(r"""([\s/?&=,:;{}\[\]"]+)""")


def _request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} /{path} HTTP/1.1", "Host: 127.0.0.1:9696", f"X-Auth-Token: {TOKENS[0]}",
             "Accept: application/json", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def seeds() -> list[Seed]:
    reads = [_request("GET", f"v2.0/{collection.path}" if not collection.parent else f"v2.0/qos/policies/{NETWORK}")
             for collection in COLLECTIONS]
    reads += [_request("GET", path) for path in (
        "", "healthcheck", "v2.0", "v2.0/extensions", "v2.0/extensions/router", f"v2.0/ports/{PORT}",
        f"v2.0/subnets/{SUBNET}", f"v2.0/networks/{NETWORK}/statistics",
        "v2.0/ports?limit=2&sort_key=name&sort_dir=asc&fields=id&fields=name",
        f"v2.0/ports?network_id={NETWORK}&fixed_ips=ip_address%3D10.0.0.2&page_reverse=true&marker={PORT}&limit=1",
        "v2.0/networks?name=a&admin_state_up=true&shared=false&mtu=1450")]
    subnet = {"network_id": NETWORK, "ip_version": 4, "cidr": "10.9.0.0/24", "gateway_ip": "10.9.0.1",
              "allocation_pools": [{"start": "10.9.0.2", "end": "10.9.0.90"}], "dns_nameservers": ["9.9.9.9"],
              "host_routes": [{"destination": "10.8.0.0/16", "nexthop": "10.9.0.7"}], "enable_dhcp": True}
    writes = [
        _request("POST", "v2.0/networks", {"network": {"name": "n", "admin_state_up": True, "mtu": 1400}}),
        _request("POST", "v2.0/networks", {"networks": [{"name": "a"}, {"name": "b", "isolated": True}]}),
        _request("POST", "v2.0/subnets", {"subnet": subnet}),
        _request("POST", "v2.0/ports", {"port": {"network_id": NETWORK, "name": "p", "mac_address": "02:00:00:00:00:09",
                                                 "fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.77"}],
                                                 "device_owner": "compute:nova", "device_id": "vm",
                                                 "binding:host_id": "hv1", "binding:profile": {"a": [1, {}]}}}),
        _request("PUT", f"v2.0/ports/{PORT}", {"port": {"name": "x", "fixed_ips": [{"ip_address": "10.0.0.9"}]}},
                 If_Match="revision_number=1"),
        _request("PUT", f"v2.0/subnets/{SUBNET}", {"subnet": {"gateway_ip": "10.0.0.254", "enable_dhcp": False}}),
        _request("PUT", f"v2.0/ports/{PORT}/plug", {"host": "hv1", "interface": "tap1"}),
        _request("PUT", f"v2.0/ports/{PORT}/unplug", {}),
        _request("POST", "v2.0/routers", {"router": {"name": "r", "admin_state_up": True}}),
        _request("POST", "v2.0/routes", {"route": {"source_subnet_id": SUBNET, "destination_subnet_id": SUBNET}}),
        _request("POST", "v2.0/vifs", {"vif": {"port_id": PORT, "host": "hv1", "interface": "if1"}}),
        _request("POST", "v2.0/qos/policies", {"policy": {"name": "gold", "shared": False, "is_default": False}}),
        _request("POST", f"v2.0/qos/policies/{NETWORK}/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 26}}),
        _request("POST", "v2.0/trunks", {"trunk": {"port_id": PORT, "sub_ports": [
            {"port_id": PORT, "segmentation_type": "vlan", "segmentation_id": 7}]}}),
        _request("PUT", f"v2.0/trunks/{PORT}/add_subports", {"sub_ports": [
            {"port_id": PORT, "segmentation_type": "vlan", "segmentation_id": 8}]}),
        _request("POST", "v2.0/hypervisors", {"hypervisor": {"name": "hv9", "datapath_id": "9", "vtep": "192.0.2.9"}}),
        _request("DELETE", "v2.0/ports/" + PORT[:-1] + "9"),
    ]
    return [Seed(message) for message in (*reads, *writes)]


def _pieces(chance: Random, text: str) -> str:
    """Words and values replaced, doubled, dropped; the separators stay."""
    pieces = _PIECES.split(text)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(pieces))
        match chance.randrange(5):
            case 0 | 1:
                pieces[at] = chance.choice(ODD)
            case 2:
                pieces[at] = chance.choice(pieces)
            case 3:
                pieces[at] = ""
            case _:
                pieces[at] += pieces[at] * (chance.randint(1, 200) if chance.random() < 0.05 else 1)
    return "".join(pieces)


def maker() -> Callable[[Random], bytes]:
    known = seeds()

    def make(chance: Random) -> bytes:
        seed = chance.choice(known)
        if chance.random() < 0.3:
            wrong = mutate(chance, seed, known)
        else:
            wrong = _pieces(chance, seed.message.decode()).encode("utf-8", "surrogatepass")
        head, gap, body = wrong.partition(b"\r\n\r\n")
        if chance.random() < 0.9:
            head = re.sub(rb"(?i)content-length:[^\r]*", b"Content-Length: %d" % len(body), head)
        if chance.random() < 0.1:
            head = head.replace(TOKENS[0].encode(), chance.choice((TOKENS[1], "x", "")).encode())
        return head + gap + body

    return make


def environ(message: bytes) -> dict[str, Any]:
    """As a server makes it, more forgiving than one is."""
    head, _, body = message.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    method, _, rest = line.partition(" ")
    target = rest.rsplit(" ", 1)[0]
    path, _, query = target.partition("?")
    made: dict[str, Any] = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": _unquoted(path), "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "9696", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False}
    for field in fields:
        name, colon, value = field.partition(":")
        key = name.strip().upper().replace("-", "_")
        if colon:
            made[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value.strip()
    return made


def _unquoted(path: str) -> str:
    return re.sub("%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), path)


class Application:
    """The API on a database that is put back from time to time to what it held first."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._asked = 0
        self._path = Path(self._directory.name) / "cloud.db"
        migrate(url := f"sqlite:///{self._path}")
        self._wire = wire = Wire(url)
        network = wire.network(who="admin")
        port = wire.make("ports", "admin", network_id=network["id"])
        self._names = tuple((name.encode(), real.encode()) for name, real in (
            (TOKENS[0], wire.token("admin")), (TOKENS[1], wire.token("alice")), (NETWORK, network["id"]),
            (SUBNET, network["subnets"][0]), (PORT, port["id"])))
        self.app = wire.app
        self._first = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(self._path)) as database:
            database.backup(self._first)

    def close(self) -> None:
        self._first.close()
        self._wire.database.close()
        self._directory.cleanup()

    def meant(self, message: bytes) -> bytes:
        """With tokens and ids of what is there in place of the names for them."""
        self._asked += 1
        if self._asked % FRESH == 0:
            with closing(sqlite3.connect(self._path)) as database:
                self._first.backup(database)
        for name, real in self._names:
            message = message.replace(name, real)
        return message


def judge(status: int, body: bytes, kind: str) -> None:
    """Raises AssertionError for an answer that no request may get."""
    assert status < 500 or status == 501, f"status {status}: {body[:300]!r}"
    if body or status not in (204, 304):
        assert kind.startswith("application/json"), f"status {status} as {kind!r}: {body[:300]!r}"
        content = json.loads(body)
        if status >= 400:
            [(wrapper, error)] = content.items()
            assert wrapper in ("NeutronError", "NotImplementedError") and set(error) == {"type", "message", "detail"}


@contextmanager
def application() -> Iterator[Take]:
    api = Application()

    def take(message: bytes) -> None:
        answered: list[tuple[str, dict[str, str]]] = []
        asked = environ(api.meant(message))
        body = b"".join(api.app(asked, lambda status, headers: answered.append((status, dict(headers)))))
        [(status, headers)] = answered
        if asked["REQUEST_METHOD"] != "HEAD":
            judge(int(status.split()[0]), body, headers.get("Content-Type", ""))

    try:
        yield take
    finally:
        api.close()


@contextmanager
def server() -> Iterator[Take]:
    """The real server on a socket of the loopback: garbage, then a right request on a new connection now and then."""
    api = Application()
    listener = runtime.listen("127.0.0.1", 0)
    log = logging.getLogger("naas_sdn.http")
    thread = runtime.spawn(runtime.serve_wsgi, listener, api.app, log)
    alive = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    taken = 0

    def ask(message: bytes) -> bytes:
        with socket.create_connection(listener.getsockname()) as client:
            client.settimeout(5)
            parts = []
            try:
                client.sendall(message)
                client.shutdown(socket.SHUT_WR)
                while part := client.recv(65536):
                    parts.append(part)
            except (ConnectionResetError, BrokenPipeError):
                pass
            return b"".join(parts)

    def take(message: bytes) -> None:
        nonlocal taken
        taken += 1
        answer = ask(api.meant(message))
        assert not re.match(rb"HTTP/1\.[01] 50[02-9]", answer), answer[:300]
        if taken % 50 == 0:
            assert ask(alive).startswith(b"HTTP/1.1 200"), "the server does not serve any more"

    try:
        yield take
    finally:
        thread.kill()
        listener.close()
        api.close()


KINDS = (Kind("HTTP, the application", maker(), application, 450, most=0.1),
         Kind("HTTP, the server", maker(), server, 50, most=0.1))
