"""A migrated database, and the service's operations on it without HTTP."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from naas_sdn import config
from naas_sdn.db.migrations import migrate
from naas_sdn.db.session import Database
from naas_sdn.plugins.registry import load_plugins
from naas_sdn.service import hypervisors
from naas_sdn.service.catalog import resources
from naas_sdn.service.contract import Attributes, Context
from naas_sdn.service.policy_rules import defaults

ADMIN = Context("operator", "tests", frozenset({"admin"}), rules=defaults())


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database that has the schema, until the end."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def made(path: Path) -> Iterator[Database]:
    """A new one, in this file."""
    url = f"sqlite:///{path}"
    migrate(url)
    with opened(url) as database:
        yield database


class Cloud:
    """The operations of every collection, each in a transaction of its own, as the operator."""

    def __init__(self, database: Database) -> None:
        self.database = database
        conf = config.load(files=[])
        self.resources = resources(load_plugins(conf), conf)
        with database.write() as session:
            for number in (1, 2):
                hypervisors.register(session, f"hv{number}", f"{number}", f"192.0.2.{number}", None)

    def make(self, collection: str, **attributes: Any) -> Attributes:
        attributes.setdefault("project_id", "operator")
        with self.database.write() as session:
            return self.resources[collection].create(session, ADMIN, attributes, {})

    def change(self, collection: str, identifier: str, **attributes: Any) -> Attributes:
        with self.database.write() as session:
            return self.resources[collection].update(session, ADMIN, identifier, attributes, {})

    def delete(self, collection: str, identifier: str) -> None:
        with self.database.write() as session:
            self.resources[collection].delete(session, ADMIN, identifier, {})

    def act(self, collection: str, identifier: str, action: str, **body: Any) -> Attributes | list[Attributes]:
        with self.database.write() as session:
            return self.resources[collection].actions[action](session, ADMIN, identifier, body)

    def get(self, collection: str, identifier: str) -> Attributes:
        with self.database.read() as session:
            return self.resources[collection].get(session, ADMIN, identifier, {})

    def network(self, cidr: str = "10.0.0.0/24") -> tuple[str, str]:
        """(network id, subnet id)."""
        network = self.make("networks")["id"]
        return network, self.make("subnets", network_id=network, ip_version=4, cidr=cidr)["id"]

    def port(self, network: str, host: str | None = None, interface: str = "tap1") -> str:
        """The id of a port, plugged when a host is given."""
        identifier: str = self.make("ports", network_id=network)["id"]
        if host is not None:
            self.act("ports", identifier, "plug", host=host, interface=interface)
        return identifier
