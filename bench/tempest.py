"""A storm: clients at work while switches drop, interfaces vanish, the database is locked and the controller is killed.

At the end every port's status is held against what is true (what is plugged where, and which switch is connected), and
every switch's table against what a fresh compilation of the database demands. Arguments: ports (10000), hypervisors
(50), seed (1), processes for the API (0).
"""
from __future__ import annotations

import random
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from bench.report import Row, machine, table
from bench.storm import EACH, Stage, all_ports, stage
from naas_sdn.db import load
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.replica import Replica
from naas_sdn.model.store import Key
from naas_sdn.model.values import Link
from naas_sdn.southbound import codec
from tests.support.topologies import apps

CLIENTS = 4
SETTLE = 90.0
"""Seconds for everything to come right, once the storm is over; a controller alone waits 20 for switches that are
gone."""

AWAY = 100_000


@dataclass
class Machine:
    """A port as its client knows it: where it is plugged, if it is."""

    port: str
    network: int
    host: str | None = None
    interface: str | None = None
    vif: str | None = None
    """None: plugged by the name of its interface."""


@dataclass
class Weather:
    """What happens between operations, `every` so many of them."""

    drops: int = 60
    locks: int = 200
    kills: int = 2000
    vanishing: int = 40


class Operator(threading.Thread):
    """One client. It has interfaces of its own, so that nobody else's are taken."""

    def __init__(self, there: Stage, number: int, count: int, seed: int, done: Callable[[], None]) -> None:
        super().__init__()
        self.machines: list[Machine] = []
        self.failure: BaseException | None = None
        self.client = there.client()
        self._stage = there
        self._number = number
        self._count = count
        self._random = random.Random(seed * 1000 + number)
        self._done = done
        self._free = {f"hv{host}": [f"if{name}" for name in range(number + 1, _interfaces(there, count), CLIENTS)]
                      for host in range(1, there.hypervisors + 1)}

    def run(self) -> None:
        try:
            for number in range(self._count):
                self._create(number)
                self._done()
                if self._random.random() < 0.4:
                    self._disturb()
                    self._done()
        except BaseException as error:
            self.failure = error

    def _create(self, number: int) -> None:
        network = (self._number + CLIENTS * number) // EACH % len(self._stage.networks)
        name = f"c{self._number}-{number}"
        host = self._random.choice(self._stage.hosts(network))
        if self._random.random() < 0.3:
            port = self.client.create_port(self._stage.networks[network], name, **{"binding:host_id": host})
            interface = f"tap{port[:11]}"
            self._stage.ask(f"plug {host} {interface}")
            self.machines.append(Machine(port, network, host, interface))
        else:
            machine = Machine(self.client.create_port(self._stage.networks[network], name), network)
            self.machines.append(machine)
            self._plug(machine, host)

    def _plug(self, machine: Machine, host: str) -> None:
        interface = self._free[host].pop()
        machine.vif = self.client.plug(machine.port, host, interface)
        machine.host, machine.interface = host, interface

    def _disturb(self) -> None:
        machine = self._random.choice(self.machines)
        if machine.host is None:
            self._plug(machine, self._random.choice(self._stage.hosts(machine.network)))
        elif machine.vif is None or self._random.random() < 0.4:
            self.client.delete(f"ports/{machine.port}")
            self.machines.remove(machine)
            if machine.vif is None:
                self._stage.ask(f"unplug {machine.host} {machine.interface}")
            elif machine.interface is not None:
                self._free[machine.host].append(machine.interface)
        else:
            self.client.delete(f"vifs/{machine.vif}")
            if machine.interface is not None:
                self._free[machine.host].append(machine.interface)
            machine.host = machine.interface = machine.vif = None


def _interfaces(there: Stage, count: int) -> int:
    """A hypervisor needs no more."""
    return interfaces(count * CLIENTS, there.hypervisors)


def interfaces(ports: int, hypervisors: int) -> int:
    return 4 * ports // hypervisors + 40 * CLIENTS


@dataclass
class Storm:
    """What the weather did, and its dice."""

    there: Stage
    weather: Weather
    dice: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    gone: dict[tuple[str, str], int] = field(default_factory=dict)
    """Interfaces that are away, and their OpenFlow ports."""

    def blow(self, operations: int) -> None:
        """After so many operations."""
        for what, every, do in (("drops", self.weather.drops, self._drop), ("locks", self.weather.locks, self._lock),
                                ("kills", self.weather.kills, self._kill),
                                ("interfaces gone", self.weather.vanishing, self._vanish)):
            if operations % every == 0:
                do()
                self.happened[what] += 1

    def end(self) -> set[str]:
        """Most interfaces come back; one hypervisor in ten is gone for good, and is returned with the others."""
        for (host, name), number in list(self.gone.items()):
            if self.dice.random() < 0.7:
                self.there.ask(f"plug {host} {name} {number}")
                del self.gone[host, name]
        lost = {self._hypervisor() for _ in range(max(1, self.there.hypervisors // 10))}
        for host in lost:
            self.there.ask(f"drop {host} {AWAY}")
        return lost

    def _hypervisor(self) -> str:
        return f"hv{self.dice.randint(1, self.there.hypervisors)}"

    def _drop(self) -> None:
        self.there.ask(f"drop {self._hypervisor()} {self.dice.choice((0, 0.2, 1, 3))}")

    def _lock(self) -> None:
        """Somebody else writes for a while."""
        path = self.there.controller.config.parent / "naas.db"
        connection = sqlite3.connect(path, timeout=20, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(self.dice.choice((0.1, 0.5, 1.5)))
        connection.execute("ROLLBACK")
        connection.close()

    def _kill(self) -> None:
        self.there.controller.kill()
        self.there.controller.start()

    def _vanish(self) -> None:
        host = self._hypervisor()
        names = self.there.ask(f"interfaces {host}")
        assert isinstance(names, dict)
        name = self.dice.choice(sorted(names))
        if name.startswith("if"):
            self.there.ask(f"unplug {host} {name}")
            self.gone[host, name] = names[name]


def run(ports: int, hypervisors: int, seed: int, weather: Weather, workers: int = 0) -> list[Row]:
    """Raises SystemExit when something is wrong at the end."""
    with stage(hypervisors, interfaces(ports, hypervisors), -(-ports // EACH), workers) as there:
        storm = Storm(there, weather, random.Random(seed))
        operations = 0
        lock = threading.Lock()

        def done() -> None:
            nonlocal operations
            with lock:
                operations += 1

        crew = [Operator(there, number, ports // CLIENTS, seed, done) for number in range(CLIENTS)]
        started = time.monotonic()
        for operator in crew:
            operator.start()
        seen = 0
        while any(operator.is_alive() for operator in crew):
            time.sleep(0.005)
            while seen < operations:
                seen += 1
                storm.blow(seen)
        elapsed = time.monotonic() - started
        for operator in crew:
            if operator.failure is not None:
                raise operator.failure
        storm.end()
        machines = [machine for operator in crew for machine in operator.machines]
        ended = time.monotonic()
        while (wrong := wrong_statuses(there, machines)) and time.monotonic() - ended < SETTLE:
            time.sleep(1)
        while (strange := wrong_tables(there)) and time.monotonic() - ended < SETTLE:
            time.sleep(1)
        settled = time.monotonic() - ended
        for text in [*wrong[:10], *strange[:10]]:
            print(text, file=sys.stderr)
        retries = sum((operator.client.retries for operator in crew), Counter[str]())
        complaints = Counter(line.split(" ", 3)[-1][:100] for line in there.controller.complaints())
        for line, count in complaints.most_common(10):
            print(f"{count} x {line}", file=sys.stderr)
    rows = [
        Row(f"operations in {elapsed:.0f} s", f"{operations:,}"),
        *(Row(what, str(count)) for what, count in storm.happened.items()),
        Row("requests tried again", ", ".join(f"{count} x {why}" for why, count in retries.items()) or "0"),
        Row(f"ports left, of {ports:,}", f"{len(machines):,}"),
        Row("in a wrong status", str(len(wrong)), "0"),
        Row("switches that hold what they should not, or lack something", str(len(strange)), "0"),
        Row("all right after", f"{settled:.0f} s"),
    ]
    if wrong or strange:
        table("The storm", rows)
        raise SystemExit("something is wrong")
    return rows


def wrong_statuses(there: Stage, machines: list[Machine]) -> list[str]:
    """What the API shows that is not so."""
    connected = there.ask("connected")
    present: dict[str, object] = {}
    assert isinstance(connected, list)
    for number in range(1, there.hypervisors + 1):
        present[f"hv{number}"] = there.ask(f"interfaces hv{number}")
    shown = {port["id"]: port for port in all_ports(there.client())}
    wrong = []
    for one in machines:
        names = present.get(one.host or "", {})
        assert isinstance(names, dict)
        right = "ACTIVE" if one.host in connected and one.interface in names else "DOWN"
        port = shown.pop(one.port, None)
        if port is None or port["status"] != right:
            wrong.append(f"{one} should be {right}, is {port and (port['status'], port['error'])}")
    wrong += [f"{port['id']} should not be there" for port in shown.values() if port["name"].startswith("c")]
    return wrong


def wrong_tables(there: Stage) -> list[str]:
    """Connected switches whose flows are not those that the database demands, as a fresh compilation has it."""
    engine = create_engine(f"sqlite:///{there.controller.config.parent}/naas.db")
    with Session(engine) as session:
        facts = list(load.load_all(session))
    engine.dispose()
    compiler = Compiler(apps(), codec.add_flow)
    compiler.apply(facts)
    connected = there.ask("connected")
    assert isinstance(connected, list)
    for host in connected:
        names = there.ask(f"interfaces {host}")
        assert isinstance(names, dict)
        compiler.apply((Key("link", (host, name)), Link(host, name, number)) for name, number in names.items())
    wrong = []
    for host in connected:
        wanted = Counter(Replica(compiler, host).desired()[0].keys())
        flows = there.ask(f"flows {host}")
        assert isinstance(flows, list)
        holds = Counter((number, cookie) for number, cookie in flows)
        if holds != wanted:
            wrong.append(f"{host} lacks {len(wanted - holds)} flows and has {len(holds - wanted)} too many")
    return wrong


def main() -> None:
    ports, hypervisors, seed, workers = (*map(int, sys.argv[1:]), *(10_000, 50, 1, 0)[len(sys.argv) - 1:])
    print(machine(), flush=True)
    few = ports < 1000
    weather = Weather(ports // 3, ports // 2, int(ports / 1.2), ports // 10) if few else Weather()
    table(f"A storm over {ports:,} ports on {hypervisors} hypervisors, seed {seed}",
          run(ports, hypervisors, seed, weather, workers))


if __name__ == "__main__":
    main()
