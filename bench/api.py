"""The API on SQLite, served by `naas-sdn serve`, one client: port create, list, and from plug to ACTIVE.

Argument: how many ports (300). The switch is a real Open vSwitch on the dummy datapath.
"""
from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from bench.report import Row, machine, spread, table, timed
from tests.support.controller import Controller, free_port
from tests.support.ovs import DummySwitch

PLUGS = 50


class Client:
    """One keep-alive connection with an operator's token."""

    def __init__(self, controller: Controller) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["X-Auth-Token"] = controller.command("token", "create", "--project", "p", "--role",
                                                                   "admin")
        self._url = f"{controller.url}/v2.0"

    def post(self, path: str, **attributes: Any) -> dict[str, Any]:
        answer = self._session.post(f"{self._url}/{path}", json={path.removesuffix("s"): attributes}, timeout=30)
        answer.raise_for_status()
        made: dict[str, Any] = next(iter(answer.json().values()))
        return made

    def delete(self, path: str) -> None:
        self._session.delete(f"{self._url}/{path}", timeout=30).raise_for_status()

    def get(self, path: str) -> Any:
        answer = self._session.get(f"{self._url}/{path}", timeout=30)
        answer.raise_for_status()
        return next(iter(answer.json().values()))


def measure(ports: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory, DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs:
        controller = Controller(Path(directory), ("127.0.0.1", free_port()))
        controller.command("hypervisor", "add", "hv1", "--datapath-id", "1", "--vtep", "10.200.0.1")
        controller.start()
        try:
            ovs.set_controller(f"tcp:127.0.0.1:{controller.openflow[1]}")
            return _measured(Client(controller), ovs, ports)
        finally:
            controller.stop()


def _measured(client: Client, ovs: DummySwitch, ports: int) -> list[Row]:
    network = client.post("networks", name="n")["id"]
    client.post("subnets", network_id=network, ip_version=4, cidr="10.0.0.0/16")
    while not all(hypervisor["alive"] for hypervisor in client.get("hypervisors")):
        time.sleep(0.05)
    made = [timed(lambda: client.post("ports", network_id=network)) for _ in range(ports)]
    listed = [timed(lambda: client.get("ports"))[1] for _ in range(10)]
    plugs = []
    for number, (port, _) in enumerate(made[:PLUGS]):
        ovs.add_port(f"if{number}", 100 + number)
        time.sleep(0.2)     # idle again
        started = time.perf_counter()
        client.post("vifs", port_id=port["id"], host="hv1", interface=f"if{number}")
        while client.get(f"ports/{port['id']}?fields=status")["status"] != "ACTIVE":
            time.sleep(0.001)
        plugs.append(time.perf_counter() - started)
    creates = [seconds for _, seconds in made]
    return [
        Row("port create, p50 / p95", spread(creates), "451 ms is Neutron's on such a machine"),
        Row("port create, one client", f"{ports / sum(creates):,.0f} a second"),
        Row(f"list of {ports} ports, p50 / p95", spread(listed), "456 ms is Neutron's for 300"),
        Row("plug to ACTIVE, p50 / p95", spread(plugs), "50 ms; 272 ms is Neutron's"),
    ]


def main() -> None:
    ports = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(machine())
    table("The API, one client", measure(ports))


if __name__ == "__main__":
    main()
