"""A thousand ports created and plugged by eight clients at once: ports a second, and how long each takes to ACTIVE.

The controller is `naas-sdn serve` on SQLite, the hypervisors are simulated (bench/fleet); clients, controller and fleet
share this machine's cores. Arguments: ports (1000), hypervisors (50), the number of one of WAYS (all).
"""
from __future__ import annotations

import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.filling import Filling
from bench.fleet.process import Fleet
from bench.report import Row, cpu, machine, percentile, table
from bench.workload import Client
from tests.support.controller import Controller, free_port

CLIENTS = 8
EACH = 50
"""Ports of a network."""

LOOK = 0.01
"""Seconds between looks at what is not there yet."""

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
class Way:
    """How clients do it: so many ports a request, by VIFs or (`tap`) by the interface that the switch then has."""

    title: str
    workers: int = 0
    tap: bool = False
    bulk: int = 1


WAYS = (Way("the API in the controller"), Way("the API in 2 processes", workers=2),
        Way("plugged by the switch's tap interface", tap=True), Way("25 ports a request", bulk=25),
        Way("25 ports a request, the API in 2 processes", workers=2, bulk=25))


@dataclass
class Worker:
    """One client: makes and plugs its ports one after another."""

    stage: Stage
    way: Way
    numbers: Sequence[int]
    asked: dict[str, float] = field(default_factory=dict)
    """Port id -> when it was asked to be plugged."""
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            client = self.stage.client()
            for start in range(0, len(self.numbers), self.way.bulk):
                self._wire(client, self.numbers[start:start + self.way.bulk])
        except BaseException as error:
            self.failure = error

    def _wire(self, client: Client, numbers: Sequence[int]) -> None:
        hosts = [self._host(number) for number in numbers]
        ports = [{"network_id": self.stage.networks[number // EACH], "name": f"p{number}",
                  **({"binding:host_id": host} if self.way.tap else {})}
                 for number, host in zip(numbers, hosts, strict=True)]
        made = [port["id"] for port in _created(client, "port", ports)]
        self.asked.update(dict.fromkeys(made, time.monotonic()))
        if self.way.tap:
            for host, port in zip(hosts, made, strict=True):
                self.stage.ask(f"plug {host} tap{port[:11]}")
        else:
            _created(client, "vif", [{"port_id": port, "host": host, "interface": f"if{number + 1}"}
                                     for number, host, port in zip(numbers, hosts, made, strict=True)])

    def _host(self, number: int) -> str:
        return self.stage.hosts(number // EACH)[number % 4]


def _created(client: Client, kind: str, wanted: list[dict[str, str]]) -> list[dict[str, str]]:
    if len(wanted) == 1:
        return [client.once("POST", f"{kind}s", {kind: wanted[0]})]
    return list(client.once("POST", f"{kind}s", {f"{kind}s": wanted}))


def watch(there: Stage, ports: int, clients: Sequence[Worker]) -> dict[str, float]:
    """When each port became ACTIVE, looked up in the database: asking the API that often would be its main work."""
    active: dict[str, float] = {}
    connection = sqlite3.connect(f"file:{there.controller.config.parent}/naas.db?mode=ro", uri=True)
    end = time.monotonic() + LONGEST
    while len(active) < ports and time.monotonic() < end and all(client.failure is None for client in clients):
        for (port,) in connection.execute("SELECT port_id FROM vifs WHERE acknowledged = plugging").fetchall():
            active.setdefault(port, time.monotonic())
        time.sleep(LOOK)
    connection.close()
    return active


def measure(ports: int, hypervisors: int, way: Way) -> list[Row]:
    with stage(hypervisors, 1 if way.tap else ports + 1, -(-ports // EACH), way.workers) as there:
        pids = [there.controller.pid, *there.controller.children(), there.fleet.pid]
        before = [cpu(pid) for pid in pids]
        started, own = time.monotonic(), time.process_time()
        clients = [Worker(there, way, range(number, ports, CLIENTS)) for number in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        active = watch(there, ports, clients)
        elapsed, own = time.monotonic() - started, time.process_time() - own
        for thread in threads:
            thread.join()
        used = [1000 * (cpu(pid) - was) / ports for pid, was in zip(pids, before, strict=True)]
        for client in clients:
            if client.failure is not None:
                raise client.failure
        asked = {port: moment for client in clients for port, moment in client.asked.items()}
        seconds = [active[port] - moment for port, moment in asked.items() if port in active]
        shown = Counter(port["status"] for port in all_ports(there.client()) if port["id"] in asked)
    return [
        Row("ports a second, until all are ACTIVE", f"{len(seconds) / elapsed:,.0f}", "200"),
        Row("ports that the API shows as something else", str(ports - shown["ACTIVE"]), "0"),
        Row("plug to ACTIVE, p50 / p99",
            f"{1000 * percentile(seconds, 0.5):.0f} / {1000 * percentile(seconds, 0.99):.0f} ms"),
        Row("CPU a port: controller", f"{used[0]:.1f} ms"),
        *([Row("CPU a port: API processes", f"{sum(used[1:-1]):.1f} ms")] if way.workers else []),
        Row("CPU a port: fleet, clients", f"{used[-1]:.1f} ms, {1000 * own / ports:.1f} ms"),
    ]


def all_ports(client: Client) -> list[dict[str, str]]:
    """Id, name, status and error of every port, by pages."""
    found: list[dict[str, str]] = []
    while True:
        page = client.get("ports?limit=1000&fields=id&fields=status&fields=name&fields=error"
                          + (f"&marker={found[-1]['id']}" if found else ""))
        found += page
        if len(page) < 1000:
            return found


def main() -> None:
    ports, hypervisors = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (1000, 50)
    print(machine(), flush=True)
    for way in WAYS[int(sys.argv[3]):int(sys.argv[3]) + 1] if len(sys.argv) > 3 else WAYS:
        table(f"{ports:,} ports by {CLIENTS} clients on {hypervisors} hypervisors, {way.title}",
              measure(ports, hypervisors, way))


if __name__ == "__main__":
    main()
