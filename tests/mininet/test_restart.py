"""What happens to the controller, its database, or others is no packet's affair: none is lost, no stream breaks."""
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.mininet.continuity import TENANTS, Cloud, add_others, change_others, compare, upgrade
from tests.mininet.lab import ApiRefused, Lab, eventually, flowing
from tests.support.locked import locked

__all__ = ["TENANTS"]


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    return Cloud(lab)


PACKETS = 3000


@contextmanager
def undisturbed(cloud: Cloud) -> Iterator[None]:
    """Packets and streams, routed and bridged: none is lost, and no stream breaks."""
    one, *others = cloud.machines
    with flowing(one, others, PACKETS) as results:
        yield
    assert [(passed.lost, passed.broken) for passed in results] == [(0, "")] * len(others)
    assert all(passed.sent >= PACKETS and passed.octets for passed in results)


def test_a_kill_and_a_start_change_nothing(lab: Lab, cloud: Cloud) -> None:
    before = [set(hypervisor.flows()) for hypervisor in lab.hypervisors]
    with undisturbed(cloud):
        compare(lab)
        for port in cloud.ports:
            lab.wait_status(port, "ACTIVE")
    assert [set(hypervisor.flows()) for hypervisor in lab.hypervisors] == before


def test_a_database_that_somebody_holds_stops_nothing(lab: Lab, cloud: Cloud) -> None:
    """A port plugged before works, and is ACTIVE afterwards; a change meanwhile is put off."""
    api = lab.tenant("alice")
    port = api.post("ports", {"network_id": cloud.network["id"], "fixed_ips": [{"subnet_id": cloud.subnets[0]["id"]}]})
    lab.operator.post("vifs", {"port_id": port["id"], "host": "hv1", "interface": "late"})
    late = lab.add_machine("late", lab.hypervisors[0], "late", port["mac_address"])
    with locked(lab.directory / "naas.db"):
        lab.hypervisors[0].attach("late")
        assert late.dhcp().ip == port["fixed_ips"][0]["ip_address"]
        assert late.reaches(cloud.machines[2].ip)
        assert not lab.is_active(port)
        with undisturbed(cloud), pytest.raises(ApiRefused, match="503 ServiceUnavailable"):
            api.update(f"ports/{port['id']}", {"name": "later"})
        assert lab.connected()
    lab.wait_status(port, "ACTIVE")
    lab.remove_machine(late)
    api.delete(f"ports/{port['id']}")


def test_what_others_change_disturbs_nobody(lab: Lab, cloud: Cloud) -> None:
    add_others(lab)
    before = [set(hypervisor.flows()) for hypervisor in lab.hypervisors]
    with undisturbed(cloud):
        change_others(lab, 200)
    eventually(lambda: [set(hypervisor.flows()) for hypervisor in lab.hypervisors] == before, "nothing of it is left")


def test_a_changed_name_changes_no_flow(lab: Lab, cloud: Cloud) -> None:
    api = lab.tenant("alice")
    port = f"ports/{cloud.ports[0]['id']}"
    with ExitStack() as stack:
        messages = [stack.enter_context(hypervisor.openflow_messages()) for hypervisor in lab.hypervisors]
        api.update(port, {"name": "renamed", "description": "still the same"})
        # Many times what a change takes to arrive.
        time.sleep(1.0)
        assert [heard.changes() for heard in messages] == [[], []]
        api.update(port, {"qos_policy_id": None})
        eventually(lambda: any(heard.changes() for heard in messages), "a change of another kind is heard")


def test_what_changed_while_it_was_away_is_made_good(lab: Lab, cloud: Cloud) -> None:
    """Flows that somebody deleted or added meanwhile; machines that came and went."""
    first = lab.hypervisors[0]
    wanted = set(first.flows())
    lab.controller.kill()
    first.ovs.ofctl("del-flows", "br-int", "table=60")
    first.ovs.ofctl("add-flow", "br-int", "table=60,priority=900,ip,actions=drop")
    assert cloud.machines[0].ping(cloud.machines[1].ip, 1).received == 0
    lab.controller.start()
    assert cloud.machines[0].reaches(cloud.machines[1].ip)
    eventually(lambda: set(first.flows()) == wanted, "the flows are the old ones")


def test_a_switch_that_lost_everything_gets_it_back(lab: Lab, cloud: Cloud) -> None:
    first = lab.hypervisors[0]
    wanted = set(first.flows())
    first.ovs.stop_vswitchd()
    eventually(lambda: not lab.is_active(cloud.ports[0]), "the port of a dead hypervisor is DOWN", seconds=30)
    first.ovs.start_vswitchd()
    lab.wait_status(cloud.ports[0], "ACTIVE")
    eventually(lambda: len(first.flows()) == len(wanted), "all flows are back")


def test_the_next_version_takes_over_with_other_tables_and_another_schema(lab: Lab, cloud: Cloud) -> None:
    """The last story of this lab: there is no way back."""
    with undisturbed(cloud):
        upgrade(lab)
    compare(lab)
    for port in cloud.ports:
        lab.wait_status(port, "ACTIVE")
