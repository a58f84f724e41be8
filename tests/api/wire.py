"""The WSGI application on a SQLite file, asked with webob requests: no socket, everything else as served."""
from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from sqlalchemy import select
from webob import Request

from naas_sdn import config
from naas_sdn.db.rows import Row
from naas_sdn.db.session import Database
from naas_sdn.plugins.registry import load_plugins
from naas_sdn.rest.resources import BY_PATH
from naas_sdn.rest.wsgi import application
from naas_sdn.service import hypervisors, tokens
from naas_sdn.service.catalog import resources
from tests.api.described import misfits

GONE = "00000000-0000-4000-8000-000000000000"
"""The id of nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> str:
        """Neutron's error type, of an error body that has all three keys."""
        [(wrapper, error)] = self.body.items()
        assert wrapper in ("NeutronError", "NotImplementedError"), self.body
        assert set(error) == {"type", "message", "detail"}
        return str(error["type"])

    @property
    def message(self) -> str:
        return str(next(iter(self.body.values()))["message"])


class Wire:
    """`ask` as a member of project `alice` unless `who` says otherwise: a project's name, or "admin", "service",
    or (in alice's project) "manager" or "reader"."""

    def __init__(self, url: str, *, openflow: Mapping[str, Any] | None = None, registered: bool = False,
                 options: str = "", **plugins: Any) -> None:
        """On a database that has the schema. `registered`: the hypervisors are, by another on this database.

        `options`: a configuration file's text.
        """
        self.database = Database(url)
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(options)
            file.flush()
            conf = config.load(files=[file.name])
        for name, value in plugins.items():
            conf.set_override(name, value, "plugins")
        for name, value in (openflow or {}).items():
            conf.set_override(name, value, "openflow")
        chosen = load_plugins(conf)
        served = resources(chosen, conf)
        self.app = application(self.database, served, chosen, conf)
        self._tokens: dict[str, str] = {}
        if registered:
            return
        with self.database.write() as session:
            hypervisors.register(session, "hv1", "1", "192.0.2.1", None)
            hypervisors.register(session, "hv2", "2", "192.0.2.2", None)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.database.close()

    def token(self, who: str) -> str:
        if who not in self._tokens:
            role = who if who in ("admin", "manager", "reader", "service") else "member"
            project = "alice" if who in ("manager", "reader") else who
            with self.database.write() as session:
                _, self._tokens[who] = tokens.issue(session, project, who, [role], 3600)
        return self._tokens[who]

    def ask(self, method: str, path: str, body: Any = None, *, who: str = "alice", raw: bytes | None = None,
            **headers: str) -> Answer:
        request = Request.blank(f"/v2.0/{path}", method=method)
        request.headers["X-Auth-Token"] = self.token(who)
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value
        if raw is not None or body is not None:
            request.body = raw if raw is not None else json.dumps(body).encode()
        response = request.get_response(self.app)
        assert response.headers["x-openstack-request-id"].startswith("req-")
        if response.status_int == 204:
            assert response.body == b""
        else:
            assert response.content_type == "application/json"
        answer = Answer(response.status_int, json.loads(response.body) if response.body else None,
                        dict(response.headers))
        assert not (faults := misfits(method, f"/v2.0/{path}", answer.status, answer.body)), faults
        return answer

    def make(self, collection: str, who: str = "alice", **attributes: Any) -> dict[str, Any]:
        """A resource, by POST. Names may spell a colon as two underscores."""
        member = BY_PATH[collection].member
        named = {name.replace("__", ":"): value for name, value in attributes.items()}
        answer = self.ask("POST", collection, {member: named}, who=who)
        assert answer.status == 201, answer.body
        made: dict[str, Any] = answer.body[member]
        return made

    def network(self, cidr: str | None = "10.0.0.0/24", who: str = "alice", **attributes: Any) -> dict[str, Any]:
        """A network, with a subnet of this range; its `subnets` name it."""
        network = self.make("networks", who, **attributes)
        if cidr is not None:
            network["subnets"] = [self.make("subnets", who, network_id=network["id"], ip_version=4, cidr=cidr)["id"]]
        return network

    def dump(self) -> list[str]:
        """The rows of all tables but tokens."""
        with self.database.read() as session:
            return [f"{table.name}: {row}" for table in Row.metadata.sorted_tables if table.name != "tokens"
                    for row in sorted(map(str, session.execute(select(table))))]
