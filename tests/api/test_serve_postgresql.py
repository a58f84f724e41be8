"""`naas-sdn serve` on PostgreSQL: from a request to a switch's flows, and over a stop of the database."""
from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.controller import Controller, free_port
from tests.support.fleet import until
from tests.support.ovs import DummySwitch
from tests.support.postgresql import Cluster


class Lab:
    """A cluster of its own, for it is stopped; hv1 is a switch, and the API is asked as the operator."""

    def __init__(self, directory: Path, workers: int) -> None:
        self.cluster = Cluster()
        self._database = self.cluster.database(empty=True)
        self.controller = Controller(directory, ("127.0.0.1", free_port()), workers=workers,
                                     database=self._database.__enter__())
        self.controller.command("db", "upgrade")
        self.controller.command("hypervisor", "add", "hv1", "--datapath-id", "1", "--vtep", "10.200.0.1")
        self._token = self.controller.command("token", "create", "--project", "operator", "--role", "admin")
        self.controller.start()
        self.ovs = DummySwitch(1, "hv1;vtep=10.200.0.1")
        self.ovs.start()
        self.ovs.set_controller(f"tcp:127.0.0.1:{self.controller.openflow[1]}")

    def close(self) -> int | None:
        """The controller's status."""
        self.ovs.stop()
        status = self.controller.stop()
        self.cluster.close()
        return status

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, f"{self.controller.url}/{path}", json=body, timeout=30,
                                   headers={"X-Auth-Token": self._token})

    def make(self, collection: str, **attributes: Any) -> dict[str, Any]:
        member = collection.removesuffix("s")
        answer = self.ask("POST", f"v2.0/{collection}", {member: attributes})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()[member]
        return made

    def wire(self, network: str, number: int) -> str:
        """A port that forwards, with an interface of this number; its MAC."""
        port = self.make("ports", network_id=network)
        interface = f"tap{port['id'][:11]}"
        self.ovs.add_port(interface, number)
        until(lambda: self.ask("GET", f"v2.0/ports/{port['id']}").json()["port"]["status"] == "ACTIVE", 20)
        return str(port["mac_address"])


@pytest.fixture(params=[0, 2], ids=["in the controller", "two workers"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, request.param)
    try:
        yield made
    finally:
        status = made.close()
    assert (made.controller.complaints(), status) == ([], 0)


def test_a_port_is_wired_before_and_after_the_database_was_away(lab: Lab) -> None:
    network = lab.make("networks")["id"]
    lab.make("subnets", network_id=network, ip_version=4, cidr="10.0.0.0/24")
    first = lab.wire(network, 1)
    assert first in lab.ovs.ofctl("dump-flows")
    lab.cluster.stop()
    for method, path, body in (("GET", "v2.0/networks", None), ("POST", "v2.0/networks", {"network": {}})):
        began = time.monotonic()
        answer = lab.ask(method, path, body)
        assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (503, "ServiceUnavailable")
        assert answer.headers["Retry-After"] == "5"
        assert "naas-pg" not in answer.text
        assert time.monotonic() - began < 15
    assert lab.ask("GET", "healthz").status_code == 200
    assert lab.ask("GET", "readyz").status_code == 503
    assert first in lab.ovs.ofctl("dump-flows")
    lab.cluster.start()
    until(lambda: lab.ask("GET", "readyz").status_code == 200, 20)
    second = lab.wire(network, 2)
    flows = lab.ovs.ofctl("dump-flows")
    assert first in flows
    assert second in flows
