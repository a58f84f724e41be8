"""How many statements a request takes: what it costs, told without a clock."""
from __future__ import annotations

import pytest

from tests.api.wire import Wire
from tests.support.statements import statements

AUTHENTICATION = 1
"""The token."""


def test_asking_who_somebody_is(wire: Wire) -> None:
    """A service's token beside the user's is one statement more."""
    service, _ = wire.token("service"), wire.token("alice")
    for headers, more in (({}, 0), ({"X_Service_Token": service}, 1)):
        with statements() as heard:
            assert wire.ask("GET", "extensions", **headers).status == 200
        assert len(heard) == AUTHENTICATION + more, heard


@pytest.mark.parametrize("others", [0, 5])
def test_creating_a_port(wire: Wire, others: int) -> None:
    """The network, the quota, the default group, its subnets, a MAC that is free, the highest address; the key,
    the network's next number, the port, its group, its address, the journal. However many ports there are."""
    network = wire.network()
    for _ in range(others):
        wire.make("ports", network_id=network["id"])
    wire.ask("GET", "security-groups")
    with statements() as heard:
        wire.make("ports", network_id=network["id"])
    assert len(heard) == AUTHENTICATION + 12, heard
    assert sum(statement.startswith("SELECT") for statement in heard) == 7, heard


@pytest.mark.parametrize("others", [0, 5])
def test_plugging_a_port(wire: Wire, others: int) -> None:
    """The port with all that is its own, the quota, its trunk, the hypervisor, its VIFs, its uplinks; the port, the
    VIF, the journal; errors to show. However many VIFs there are."""
    network = wire.network()
    for number in range(others):
        wire.make("vifs", "admin", network_id=network["id"], host="hv1", interface=f"tap{number}")
    port = wire.make("ports", "admin", network_id=network["id"])
    with statements() as heard:
        wire.make("vifs", "admin", port_id=port["id"], host="hv1", interface="tap")
    assert len(heard) == AUTHENTICATION + 10, heard


def test_plugging_a_port_that_is_made_then(wire: Wire) -> None:
    """Both together; only the port need not be read."""
    network = wire.network()
    wire.ask("GET", "security-groups", who="admin")
    with statements() as heard:
        wire.make("vifs", "admin", network_id=network["id"], host="hv1", interface="tap")
    assert len(heard) == AUTHENTICATION + 21, heard


def test_deleting_a_plugged_port(wire: Wire) -> None:
    """The port with all that is its own, whether a trunk has it, its subnet, its floating addresses; five tables, the
    journal and tags; who has the gateway's address."""
    network = wire.network()
    port = wire.make("vifs", "admin", network_id=network["id"], host="hv1", interface="tap")["port_id"]
    with statements() as heard:
        assert wire.ask("DELETE", f"ports/{port}", who="admin").status == 204
    assert len(heard) == AUTHENTICATION + 12, heard
