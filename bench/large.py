"""The API on a database of 100,000 ports of 1,000 projects, with 10,000 RBAC policies: lists, and ports made steadily.

Arguments: ports (100000), seconds of making ports (60), databases (sqlite,postgresql), API processes (0: in the
controller). A project has a hundred ports. Clients, API and database share this machine's cores, and no switch is
connected.
"""
from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from bench.projects import Projects
from bench.report import Row, cpu, machine, percentile, resident, table, tail
from bench.workload import Client
from naas_sdn.db.migrations import migrate
from naas_sdn.service import tokens
from tests.support.controller import Controller, free_port
from tests.support.postgresql import DURABLE, Cluster

EACH, POLICIES = 100, 10
"""Ports and policies of a project."""

FEW = 11
"""Projects of the database beside which the large one's lists are measured: one's own, and others with 1,000 ports."""

CLIENTS, RATE = 8, 100
"""Who makes ports, and how many a second all together."""

LONG = 1000
"""Ports of a long page."""

OFTEN = 5
"""Lists of each kind for each second of making ports; long pages once."""

START = 300.0
"""Seconds that a controller may take to read 100,000 ports."""


@dataclass
class Stage:
    """A controller on a database of `made`, which is at `url`."""

    controller: Controller
    made: Projects
    url: str

    def client(self, project: str, role: str = "member") -> Client:
        engine = create_engine(self.url)
        with Session(engine) as session, session.begin():
            _, token = tokens.issue(session, project, project, [role], 86_400)
        engine.dispose()
        return Client(self.controller.port, token)


@contextmanager
def stage(projects: int, workers: int, cluster: Cluster | None) -> Iterator[Stage]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if cluster is None:
            url = f"sqlite:///{directory}/naas.db"
            migrate(url)
        else:
            url = stack.enter_context(cluster.database())
        made = Projects(projects, projects * EACH, projects * POLICIES)
        made.fill(url)
        controller = Controller(directory, ("127.0.0.1", free_port()), workers, {
            "OS_STATISTICS__INTERVAL": "100000"}, url)
        controller.start(START)
        stack.callback(controller.stop)
        try:
            yield Stage(controller, made, url)
        except BaseException:
            print(controller.tail(), file=sys.stderr)
            raise


@dataclass
class Maker:
    """One client: makes a port whenever one is due, and counts from when it was due."""

    client: Client
    networks: list[str]
    dues: list[float]
    took: list[float] = field(default_factory=list)
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            for number, due in enumerate(self.dues):
                time.sleep(max(0.0, due - time.monotonic()))
                network = self.networks[number % len(self.networks)]
                self.client.once("POST", "ports", {"port": {"network_id": network, "name": f"made{number}"}})
                self.took.append(time.monotonic() - due)
        except BaseException as error:
            self.failure = error


def made_steadily(there: Stage, seconds: float) -> tuple[list[float], float]:
    """How long each of RATE ports a second took, and how many a second there were."""
    makers = [Maker(there.client(f"p{project}"), there.made.networks[project], [])
              for project in range(CLIENTS)]
    start = time.monotonic() + 0.5
    for number, maker in enumerate(makers):
        maker.dues = [start + (turn * CLIENTS + number) / RATE for turn in range(int(seconds * RATE) // CLIENTS)]
    threads = [threading.Thread(target=maker.run) for maker in makers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for maker in makers:
        if maker.failure is not None:
            raise maker.failure
    took = [took for maker in makers for took in maker.took]
    return took, len(took) / (time.monotonic() - start)


def asked(times: int, *questions: Callable[[], object]) -> list[list[float]]:
    """How long each took each time, all in turn, so that what else the machine does is in all of them."""
    took: list[list[float]] = [[] for _ in questions]
    for _ in range(times):
        for question, times_of in zip(questions, took, strict=True):
            started = time.perf_counter()
            question()
            times_of.append(time.perf_counter() - started)
    return took


def measure(ports: int, seconds: float, workers: int, cluster: Cluster | None) -> list[Row]:
    projects = max(FEW, ports // EACH)
    with stage(FEW, workers, cluster) as few, stage(projects, workers, cluster) as many:
        operator = many.client("operator", "admin")
        ids = [port["id"] for port in operator.get(f"ports?limit={LONG}&fields=id")]

        def page(limit: int) -> object:
            return operator.get(f"ports?limit={limit}&marker={random.choice(ids)}")

        lists = []
        times = max(1, int(seconds))
        for path in ("ports", "networks"):
            own = [asking.client("p7") for asking in (few, many)]
            in_few, in_many = asked(OFTEN * times, *(lambda client=client, path=path: client.get(path)
                                             for client in own))
            lists.append((path, in_few, in_many))
        [short] = asked(OFTEN * times, lambda: page(EACH))
        [long] = asked(times, lambda: page(LONG))
        pids = [many.controller.pid, *many.controller.children()]
        before = sum(map(cpu, pids))
        took, rate = made_steadily(many, seconds)
        used = (sum(map(cpu, pids)) - before) / len(took)
        memory = [resident(pid) for pid in pids]
    return [
        Row("a page of 100 ports, an operator's, p50 / p99", tail(short), "p99 50 ms"),
        Row(f"a page of {LONG:,} ports, an operator's, p50 / p99", tail(long), "250 ms"),
        *(Row(f"a project's {path}, p50 / p99, others having {how}", tail(of))
          for path, in_few, in_many in lists
          for how, of in (("1,000 ports", in_few), (f"{(projects - 1) * EACH:,}", in_many))),
        *(Row(f"a project's {path}, the second to the first, by p50",
              f"{100 * (percentile(in_many, 0.5) / percentile(in_few, 0.5) - 1):+.0f} %", "within 10 %")
          for path, in_few, in_many in lists),
        Row(f"port create, {CLIENTS} clients, p50 / p99", tail(took), "p99 50 ms"),
        Row("port create, the controller's CPU" + (" and the API's" if workers else ""), f"{1000 * used:.1f} ms"),
        Row("port create, a second", f"{rate:.1f}", f"{RATE}"),
        Row("resident: controller" + (", API processes" if workers else ""),
            ", ".join(f"{megabytes:.0f} MB" for megabytes in memory)),
    ]


def main() -> None:
    ports, seconds = (int(sys.argv[1]), float(sys.argv[2])) if len(sys.argv) > 2 else (100_000, 60.0)
    kinds = sys.argv[3].split(",") if len(sys.argv) > 3 else ["sqlite", "postgresql"]
    workers = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    where = f"the API in {workers} processes" if workers else "the API in the controller"
    print(machine(), flush=True)
    for kind in kinds:
        cluster = Cluster(DURABLE) if kind == "postgresql" else None
        try:
            table(f"{ports:,} ports on {kind}, {where}", measure(ports, seconds, workers, cluster))
        finally:
            if cluster is not None:
                cluster.close()


if __name__ == "__main__":
    main()
