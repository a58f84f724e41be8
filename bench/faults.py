"""Faults by the thousand, by a seed: what is found, how soon it is repaired, and whether anything healthy is touched.

The controller is `naas-sdn serve` on SQLite; the switches are simulated (bench/fleet), and one is a real Open vSwitch.
Arguments: faults (10000), seed (1). Counts are compared each CHECK seconds and all tables each AUDIT seconds here,
which is more often than usual, so that thousands of faults fit into minutes. Status 1 when one was not healed.
"""
from __future__ import annotations

import json
import random
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench.filling import Filling
from bench.fleet.__main__ import vtep
from bench.fleet.injury import PORTS
from bench.fleet.process import Fleet
from bench.report import Row, machine, percentile, table
from tests.support.controller import Controller, free_port, run_command
from tests.support.openvswitch import CommandFailed
from tests.support.ovs import DummySwitch

SIMULATED = 16
CHECK, AUDIT = 0.5, 2.0
PATIENCE = 60.0
"""Seconds after which a fault counts as not healed."""

KINDS = {"flow deleted, told": 10, "flow changed, told": 10, "flow added, told": 10, "flow deleted, not told": 5,
         "flow added, not told": 5, "flow changed, not told": 4, "meter altered": 4, "port renamed": 4,
         "barrier lied about": 4}
"""Of simulated switches, and how often each."""

RARE = {"crash": 400, "row half-written": 100, "row that lies": 200, "Open vSwitch": 40}
"""One in so many, and at least one each."""

ORPHANED = "any, and the controller killed before it was repaired"

COUNTING = ("duration", "n_packets", "n_bytes")

HALF = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE ports SET mac_address = '02:00:00:00:00:00' WHERE id = (SELECT id FROM ports LIMIT 1)")
os.kill(os.getpid(), 9)
"""


class Injector:
    """One run."""

    def __init__(self, controller: Controller, fleet: Fleet, ovs: DummySwitch, database: Path, seed: int) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.open: dict[str, str] = {}
        self.needless = 0
        self._orphans: set[str] = set()
        self._controller = controller
        self._fleet = fleet
        self._ovs = ovs
        self._database = database
        self._chance = random.Random(seed)

    def run(self, faults: int) -> int:
        """How many were not healed."""
        left, progress = faults, time.monotonic()
        self._collect({})
        rare: dict[str, Callable[[], None]] = {"crash": self._crash, "row half-written": self._half,
                                               "row that lies": self._lie, "Open vSwitch": self._real}
        due = dict.fromkeys(rare, 0)
        while (left > 0 or self.open) and time.monotonic() - progress < PATIENCE:
            before = len(self.open), left
            new: dict[str, tuple[str, int]] = {}
            for number in range(1, SIMULATED + 1):
                if left > 0 and f"hv{number}" not in self.open:
                    [kind] = self._chance.choices(list(KINDS), list(KINDS.values()))
                    new[f"hv{number}"] = kind, self._chance.getrandbits(32)
                    left -= 1
            self._collect(new)
            for kind, often in RARE.items():
                if left > 0 and faults - left >= (due[kind] + 0.5) * min(often, faults):
                    left, due[kind] = left - 1, due[kind] + 1
                    rare[kind]()
            if (len(self.open), left) != before or new:
                progress = time.monotonic()
            time.sleep(0.01)
        return len(self.open) + left

    def _collect(self, new: dict[str, tuple[str, int]]) -> None:
        healed, self.open = self._fleet.ask(f"hurt {shlex.quote(json.dumps(new))}")
        for name, kind, seconds, needless in healed:
            self.seconds[ORPHANED if name in self._orphans else kind].append(seconds)
            self._orphans.discard(name)
            self.needless += needless

    def _crash(self) -> None:
        started = time.monotonic()
        self._controller.kill()
        self._orphans |= self.open.keys()
        self._controller.start()
        self.seconds["controller killed, to serving"].append(time.monotonic() - started)

    def _half(self) -> None:
        before = self._ports()
        started = time.monotonic()
        done = subprocess.run((sys.executable, "-c", HALF, str(self._database)), check=False)
        assert done.returncode == -signal.SIGKILL
        if self._ports() == before:
            self.seconds["row half-written"].append(time.monotonic() - started)

    def _lie(self) -> None:
        with sqlite3.connect(self._database, timeout=20) as database:
            rows = database.execute("SELECT id FROM vifs ORDER BY id").fetchall()
            [victim] = self._chance.choice(rows)
            database.execute("UPDATE vifs SET acknowledged = 0 WHERE id = ?", (victim,))
        database.close()
        self._timed("row that lies", lambda: self._row(victim))

    def _real(self) -> None:
        """Silent ones too: no monitor tells of a meter."""
        before = self._held()
        flow = self._chance.choice(before[0])
        named = next(part for part in flow.split() if part.startswith("cookie=")).rstrip(",")
        kind, command = self._chance.choice((
            ("flow deleted", ("del-flows", f"{named}/-1")),
            ("flow changed", ("mod-flows", f"{named}/-1,actions=set_field:77->reg15")),
            ("flow added", ("add-flow", f"cookie={self._chance.getrandbits(60)},table=60,priority=999,actions=drop")),
            ("meter altered", ("mod-meter", "meter=slowpath,pktps,burst,stats,bands=type=drop rate=7 burst_size=7")),
        ))
        self._ovs.ofctl(*command)
        self._timed(f"Open vSwitch: {kind}", lambda: self._held() == before)

    def _timed(self, kind: str, healed: Callable[[], bool]) -> None:
        started = time.monotonic()
        while not healed():
            if time.monotonic() - started > PATIENCE:
                self.open[kind] = kind
                return
            time.sleep(0.01)
        self.seconds[kind].append(time.monotonic() - started)

    def _held(self) -> tuple[list[str], list[str]]:
        flows = sorted(" ".join(part for part in line.split() if not part.startswith(COUNTING))
                       for line in self._ovs.ofctl("dump-flows").splitlines() if "actions" in line)
        return flows, sorted(self._ovs.ofctl("dump-meters").splitlines()[1:])

    def _ports(self) -> list[tuple[str, str]]:
        return self._read("SELECT id, mac_address FROM ports ORDER BY id")

    def _row(self, identifier: str) -> bool:
        return bool(self._read("SELECT 1 FROM vifs WHERE id = ? AND acknowledged = plugging", identifier))

    def _read(self, statement: str, *values: str) -> list[tuple[str, str]]:
        database = sqlite3.connect(self._database, timeout=20)
        try:
            return database.execute(statement, values).fetchall()
        finally:
            database.close()


def measure(faults: int, seed: int) -> tuple[list[Row], bool]:
    """The figures, and whether all is well."""
    hypervisors = SIMULATED + 1
    real = f"hv{hypervisors}"
    with (tempfile.TemporaryDirectory() as directory,
          DummySwitch(hypervisors, f"{real};vtep={vtep(hypervisors)}") as ovs):
        ovs.add_port("vxlan0", 1, type="vxlan", remote_ip="flow", key="flow")
        for number in range(1, PORTS + 1):
            ovs.add_port(f"if{number}", 1 + number)
        controller = Controller(Path(directory), ("127.0.0.1", free_port()), options={
            "OS_STATISTICS__INTERVAL": "100000", "OS_OPENFLOW__CHECK_INTERVAL": str(CHECK),
            "OS_OPENFLOW__AUDIT_INTERVAL": str(AUDIT), "OS_OPENFLOW__AUDIT_SHARE": "0.5"})
        database = Path(directory) / "naas.db"
        Filling(f"sqlite:///{database}", "one network", hypervisors, hypervisors * PORTS)
        controller.start()
        try:
            ovs.set_controller(f"tcp:127.0.0.1:{controller.openflow[1]}")
            with Fleet(controller.openflow[1], SIMULATED, PORTS) as fleet:
                _in_step(controller, hypervisors)
                fleet.settled(SIMULATED, controller.pid)
                injector = Injector(controller, fleet, ovs, database, seed)
                unhealed = injector.run(faults)
                lines = _in_step(controller, hypervisors)
                audited = controller.log.read_text(errors="replace").count(" naas_sdn.audit {")
        except BaseException:
            print(controller.tail(), file=sys.stderr)
            raise
        finally:
            controller.stop()
    total = sum(map(len, injector.seconds.values()))
    rows = [Row(f"{kind}, x {len(seconds)}, p50 / p99 / most", " / ".join(
        f"{value:.2f}" for value in (percentile(seconds, 0.5), percentile(seconds, 0.99), max(seconds))) + " s")
        for kind, seconds in sorted(injector.seconds.items())]
    rows += [Row("faults healed", f"{total:,}"),
             Row("not healed", ", ".join([str(unhealed), *injector.open.values()]), "0"),
             Row("healthy flows written or removed", str(injector.needless), "0"),
             Row("lines of the audit log", f"{audited:,}"),
             Row("switches equal to the desired state at the end", f"{lines} of {hypervisors}", str(hypervisors))]
    return rows, not unhealed and not injector.needless and lines == hypervisors


def _in_step(controller: Controller, hypervisors: int) -> int:
    """How many are, by `naas-sdn verify`, once all that can be are connected."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = run_command("verify", "--config-file", str(controller.config))
        well = done.stdout.count(": in step")
        if well == hypervisors or time.monotonic() > deadline:
            return well
        time.sleep(0.2)


def main() -> int:
    faults, seed = (int(value) if value else default
                    for value, default in zip((*sys.argv[1:3], "", "")[:2], (10_000, 1), strict=True))
    print(machine())
    try:
        rows, well = measure(faults, seed)
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return 1
    table(f"{faults:,} faults, seed {seed}; counts compared each {CHECK} s, tables each {AUDIT} s", rows)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
