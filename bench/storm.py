"""A thousand ports created and plugged by eight clients at once: ports a second, and how long each takes to ACTIVE.

The controller is `naas-sdn serve` on SQLite, the hypervisors are simulated (bench/fleet); clients, controller and fleet
share this machine's cores. Three ways: ports and VIFs by the API; the same with the API in two processes of its own;
ports bound to a host whose switch then has their tap interface. Arguments: ports (1000), hypervisors (50).
"""
from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.exchanges import cpu
from bench.filling import Filling
from bench.fleet.process import Fleet
from bench.report import Row, machine, percentile, table
from bench.workload import Client
from tests.support.controller import Controller, free_port

CLIENTS = 8
EACH = 50
"""Ports of a network."""

LOOK = 0.05
"""Seconds between a client's looks at its ports that are not ACTIVE yet, while it has nothing else to do."""

LONGEST = 120.0


@dataclass
class Stage:
    """A controller, its fleet, and networks by id; `hypervisors` are hv1, hv2, ..."""

    controller: Controller
    fleet: Fleet
    hypervisors: int
    token: str
    networks: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the fleet is asked."""

    def client(self) -> Client:
        return Client(self.controller.port, self.token)

    def ask(self, question: str) -> object:
        with self.lock:
            return self.fleet.ask(question)

    def hosts(self, network: int, several: int = 4) -> list[str]:
        """Neighbours: the machines of a network are on few hypervisors."""
        return [f"hv{(network * several + number) % self.hypervisors + 1}" for number in range(several)]


@contextmanager
def stage(hypervisors: int, interfaces: int, networks: int, workers: int = 0) -> Iterator[Stage]:
    """All connected and in step, with networks made and no ports."""
    with tempfile.TemporaryDirectory() as directory:
        controller = Controller(Path(directory), ("127.0.0.1", free_port()), workers, {
            "OS_STATISTICS__INTERVAL": "100000", "OS_OPENFLOW__HALF_OPEN": "1000",
            "OS_OPENFLOW__HANDSHAKE_TIMEOUT": "60"})
        Filling(f"sqlite:///{directory}/naas.db", "one network", hypervisors, 0)
        controller.start()
        try:
            token = controller.command("token", "create", "--project", "p", "--role", "admin")
            with Fleet(controller.openflow[1], hypervisors, interfaces) as fleet:
                made = Stage(controller, fleet, hypervisors, token)
                client = made.client()
                for number in range(networks):
                    network = client.once("POST", "networks", {"network": {"name": f"n{number}"}})["id"]
                    client.once("POST", "subnets", {"subnet": {
                        "network_id": network, "ip_version": 4,
                        "cidr": f"10.{number >> 8}.{number & 0xFF}.0/24"}})
                    made.networks.append(network)
                until(lambda: all(hypervisor["alive"] for hypervisor in client.get("hypervisors")))
                yield made
        except BaseException:
            print(controller.tail(), file=sys.stderr)
            raise
        finally:
            controller.stop()


def until(condition: Callable[[], bool], seconds: float = LONGEST) -> None:
    """Wait for it. Raises SystemExit."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds:.0f} s")
        time.sleep(LOOK)


@dataclass
class Worker:
    """One client: makes its ports one after another, and looks whether they are ACTIVE."""

    stage: Stage
    number: int
    count: int
    tap: bool
    asked: dict[str, float] = field(default_factory=dict)
    active: dict[str, float] = field(default_factory=dict)
    """Port id -> seconds from the request to plug it to the answer that says ACTIVE."""
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._run(self.stage.client())
        except BaseException as error:
            self.failure = error

    def _run(self, client: Client) -> None:
        for place in range(self.count):
            number = self.number + CLIENTS * place
            network = number // EACH % len(self.stage.networks)
            host = self.stage.hosts(network)[number % 4]
            self._wire(client, number, network, host)
            self._look(client)
        end = time.monotonic() + LONGEST
        while len(self.active) < len(self.asked) and time.monotonic() < end:
            time.sleep(LOOK)
            self._look(client)

    def _wire(self, client: Client, number: int, network: int, host: str) -> None:
        binding = {"binding:host_id": host} if self.tap else {}
        port = client.create_port(self.stage.networks[network], f"p{number}", **binding)
        self.asked[port] = time.monotonic()
        if self.tap:
            self.stage.ask(f"plug {host} tap{port[:11]}")
        else:
            client.plug(port, host, f"if{number + 1}")

    def _look(self, client: Client) -> None:
        waiting = [port for port in self.asked if port not in self.active][:50]
        if not waiting:
            return
        ids = "&".join(f"id={port}" for port in waiting)
        now = time.monotonic
        for port in client.get(f"ports?fields=id&fields=status&{ids}"):
            if port["status"] == "ACTIVE":
                self.active[port["id"]] = now() - self.asked[port["id"]]


def measure(ports: int, hypervisors: int, workers: int = 0, tap: bool = False) -> list[Row]:
    with stage(hypervisors, 1 if tap else ports + 1, -(-ports // EACH), workers) as there:
        pids = [there.controller.pid, *there.controller.children()]
        before = [cpu(pid) for pid in pids]
        started = time.monotonic()
        clients = [Worker(there, number, len(range(number, ports, CLIENTS)), tap) for number in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.monotonic() - started
        used = [cpu(pid) - was for pid, was in zip(pids, before, strict=True)]
        failed = [client.failure for client in clients if client.failure is not None]
        if failed:
            raise failed[0]
        seconds = [value for client in clients for value in client.active.values()]
        fleet = cpu(there.fleet.pid)
    return [
        Row("ports a second, until all are ACTIVE", f"{len(seconds) / elapsed:,.0f}", "200"),
        Row("ports that did not become ACTIVE", str(ports - len(seconds)), "0"),
        Row("plug to ACTIVE as clients see it, p50 / p99",
            f"{1000 * percentile(seconds, 0.5):.0f} / {1000 * percentile(seconds, 0.99):.0f} ms"),
        Row("controller's CPU a port", f"{1000 * used[0] / ports:.1f} ms"),
        *([Row("API processes' CPU a port", f"{1000 * sum(used[1:]) / ports:.1f} ms")] if workers else []),
        Row("the fleet's CPU a port", f"{1000 * fleet / ports:.1f} ms"),
    ]


def main() -> None:
    ports, hypervisors = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (1000, 50)
    print(machine())
    for title, workers, tap in (("the API in the controller", 0, False), ("the API in 2 processes", 2, False),
                                ("plugged by the switch's tap interface", 0, True)):
        table(f"{ports:,} ports by {CLIENTS} clients on {hypervisors} hypervisors, {title}",
              measure(ports, hypervisors, workers, tap))


if __name__ == "__main__":
    main()
