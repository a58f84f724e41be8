"""A small cloud, and what must not disturb it: the disturbances that tests apply shortly and the bench in full."""
from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import naas_sdn
from naas_sdn.pipeline.tables import Table
from tests.mininet.lab import VM, Api, Hypervisor, Lab, eventually
from tests.support.locked import locked

TENANTS = ("alice",)
STRANGERS = 4
"""Clients that change other networks at once."""

MIGRATION = '''
"""What the next version might add."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{head}"
branch_labels = depends_on = None


def upgrade():
    op.create_table("next_version", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("ports", sa.Column("next_version", sa.String(8), nullable=True))
'''


class Cloud:
    """Two subnets with a route between them and a rate limit, so flows of every kind, and meters.

    Machine 0 is on the first hypervisor; 1 is routed to and 2 bridged to, both on the second.
    """

    def __init__(self, lab: Lab) -> None:
        api = lab.tenant("alice")
        self.lab = lab
        self.policy = lab.operator.post("qos/policies", {"name": "fast", "shared": True})
        lab.operator.post(f"qos/policies/{self.policy['id']}/bandwidth_limit_rules",
                          {"max_kbps": 1_000_000, "direction": "ingress"})
        self.network = api.post("networks", {"name": "kept"})
        self.subnets = [api.post("subnets", {"network_id": self.network["id"], "ip_version": 4,
                                             "cidr": f"10.8.{number}.0/24"}) for number in range(2)]
        self.ports: list[dict[str, Any]] = []
        self.machines = [self.machine(number, hypervisor) for number, hypervisor in ((0, 0), (1, 1), (0, 1))]
        api.post("routes", {"source_subnet_id": self.subnets[0]["id"], "destination_subnet_id": self.subnets[1]["id"]})
        assert all(self.machines[0].reaches(other.ip) for other in self.machines[1:])

    def machine(self, subnet: int, hypervisor: int) -> VM:
        """One more."""
        port = self.lab.tenant("alice").post("ports", {
            "network_id": self.network["id"], "qos_policy_id": self.policy["id"],
            "fixed_ips": [{"subnet_id": self.subnets[subnet]["id"]}]})
        self.ports.append(port)
        return self.lab.vm(f"m{len(self.ports) - 1}", port, self.lab.hypervisors[hypervisor])


def compare(lab: Lab) -> None:
    """Kill the controller, start it, and wait until it has compared all switches.

    Raises AssertionError when it changes anything.
    """
    with ExitStack() as stack:
        messages = [stack.enter_context(hypervisor.openflow_messages()) for hypervisor in lab.hypervisors]
        lab.controller.kill()
        lab.controller.start()
        eventually(lambda: all(heard.is_compared() for heard in messages), "all hypervisors are compared", seconds=30)
        assert [heard.changes() for heard in messages] == [[] for _ in messages]


def upgrade(lab: Lab) -> None:
    """Stop the controller and start the next version, whose tables and schema are others; it stays.

    Returns when each switch holds the flows that it held, in the tables to which they have moved.
    """
    source = lab.directory / "next"
    moved = make_next_version(source)
    wanted = [_moved(_tables(hypervisor), moved) for hypervisor in lab.hypervisors]
    lab.controller.stop()
    lab.controller.source = source
    lab.controller.command("db", "upgrade")
    lab.controller.start()
    eventually(lambda: [_tables(hypervisor) for hypervisor in lab.hypervisors] == wanted,
               "all flows are in the new tables", seconds=30)


def make_next_version(directory: Path) -> dict[int, int]:
    """A copy of the package below `directory` with one more migration, and each table where the one after it was.

    CLASSIFY stays, for there packets enter. So nearly every number means something else before and after, and a packet
    that met flows of both would go astray. Returns the new number of each old one.
    """
    package = directory / "naas_sdn"
    shutil.copytree(Path(naas_sdn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    numbers = sorted(table.value for table in Table)
    moved = {0: 0, **dict(zip(numbers[1:], [*numbers[2:], numbers[-1] + 1], strict=True))}
    tables = package / "pipeline" / "tables.py"
    text, found = re.subn(r"^(    [A-Z]\w* = )(\d+)(?= +#.*$)",
                          lambda line: f"{line[1]}{moved[int(line[2])]}", tables.read_text(), count=len(numbers),
                          flags=re.MULTILINE)
    assert found == len(numbers)
    tables.write_text(text)
    versions = package / "db" / "migrations" / "versions"
    newest = max(file.name[:4] for file in versions.glob("[0-9]*.py"))
    (versions / "9999_next.py").write_text(MIGRATION.format(head=newest))
    return moved


def hold_database(lab: Lab, seconds: float) -> None:
    """Another process holds the database for so long."""
    with locked(lab.directory / "naas.db"):
        time.sleep(seconds)


def change_others(lab: Lab, changes: int) -> None:
    """So many changes at least to networks of others on the same hypervisors, by several clients at once."""
    token = lab.operator.token
    with ThreadPoolExecutor(STRANGERS) as pool:
        for work in [pool.submit(_change, Api(lab.controller.url, token, f"stranger{number}"),
                                 lab.hypervisors, number, changes // STRANGERS) for number in range(STRANGERS)]:
            work.result()


def _change(api: Api, hypervisors: Sequence[Hypervisor], client: int, changes: int) -> None:
    made = 0
    while made < changes:
        for _ in _story(api, hypervisors, client):
            made += 1
    api.close()


def _story(api: Api, hypervisors: Sequence[Hypervisor], client: int) -> Iterator[None]:
    """Come and go; yields after each change."""
    network = api.post("networks", {"name": f"of {api.name}"})
    yield
    subnets, ports, vifs = [], [], []
    for number in range(2):
        subnets.append(api.post("subnets", {"network_id": network["id"], "ip_version": 4,
                                            "cidr": f"10.{100 + client}.{number}.0/24"}))
        yield
        ports.append(api.post("ports", {"network_id": network["id"],
                                        "fixed_ips": [{"subnet_id": subnets[number]["id"]}]}))
        yield
        vifs.append(api.post("vifs", {"port_id": ports[number]["id"], "host": hypervisors[number].name,
                                      "interface": f"other{client}"}))
        yield
    route = api.post("routes", {"source_subnet_id": subnets[0]["id"], "destination_subnet_id": subnets[1]["id"]})
    yield
    for state in (False, True):
        api.update(f"ports/{ports[0]['id']}", {"admin_state_up": state})
        yield
    for path in (f"routes/{route['id']}", *(f"vifs/{vif['id']}" for vif in vifs),
                 *(f"ports/{port['id']}" for port in ports), f"networks/{network['id']}"):
        api.delete(path)
        yield


def add_others(lab: Lab) -> None:
    """Interfaces for the machines of others, which have none."""
    for hypervisor in lab.hypervisors:
        for number in range(STRANGERS):
            name = f"other{number}"
            hypervisor.ovs.vsctl("add-port", "br-int", name, "--", "set", "interface", name, "type=internal")


def _tables(hypervisor: Hypervisor) -> Counter[int]:
    """How many flows each table has."""
    return Counter(int(table) for flow in hypervisor.flows() for table in re.findall(r"\btable=(\d+)", flow)[:1])


def _moved(tables: Counter[int], moved: dict[int, int]) -> Counter[int]:
    return Counter({moved[table]: flows for table, flows in tables.items()})
