"""Which interface is plugged to which port: by the API, by name, and what happens on contradiction."""
from __future__ import annotations

from collections.abc import Iterable

import pytest

from naas_sdn.db.load import load
from naas_sdn.db.session import Database
from naas_sdn.errors import HypervisorNotFound, InterfaceInUse, InvalidInput, NaasError, PortInUse, VifNotFound
from naas_sdn.model.store import Key
from naas_sdn.model.values import Attachment
from naas_sdn.service import plugging
from tests.support.database import Cloud


def report(database: Database, host: str, interfaces: Iterable[str]) -> None:
    with database.write() as session:
        plugging.interfaces_reported(session, host, interfaces)


def where(cloud_db: Cloud, port: str) -> tuple[str, str] | None:
    """(host, interface) of the port's VIF."""
    vif = cloud_db.get("ports", port).get("vif_id")
    if not vif:
        return None
    shown = cloud_db.get("vifs", vif)
    return shown["host"], shown["interface"]


def tap(port: str) -> str:
    return f"tap{port[:11]}"


@pytest.fixture
def port(cloud_db: Cloud) -> str:
    return cloud_db.port(cloud_db.network()[0])


def test_a_tap_plugs_its_port(cloud_db: Cloud, database: Database, port: str) -> None:
    report(database, "hv1", ["vxlan0", "tapffffffff-ff", "tap", "tap0", tap(port).upper()])
    assert where(cloud_db, port) is None
    report(database, "hv1", ["vxlan0", tap(port)])
    assert where(cloud_db, port) == ("hv1", tap(port))
    report(database, "hv1", ["vxlan0", tap(port)])
    assert where(cloud_db, port) == ("hv1", tap(port))


def test_only_on_the_host_it_is_bound_to(cloud_db: Cloud, database: Database, port: str) -> None:
    cloud_db.change("ports", port, **{"binding:host_id": "hv2"})
    report(database, "hv1", [tap(port)])
    assert where(cloud_db, port) is None
    report(database, "hv2", [tap(port)])
    assert where(cloud_db, port) == ("hv2", tap(port))


def test_a_second_claim_is_refused_and_shown_until_the_first_is_gone(cloud_db: Cloud, database: Database,
                                                                     port: str) -> None:
    report(database, "hv1", [tap(port)])
    with database.write() as session:
        plugging.interfaces_reported(session, "hv2", [tap(port)])
    vif = cloud_db.get("ports", port)["vif_id"]
    assert where(cloud_db, port) == ("hv1", tap(port))
    assert "hv2" in cloud_db.get("vifs", vif)["refusal"]
    # The port is bound to hv1 still, and a migration is the compute service's to tell.
    cloud_db.change("ports", port, **{"binding:host_id": "hv2"})
    assert where(cloud_db, port) is None
    report(database, "hv2", [tap(port)])
    assert where(cloud_db, port) == ("hv2", tap(port))


def test_an_order_to_unplug_stands(cloud_db: Cloud, database: Database, port: str) -> None:
    report(database, "hv1", [tap(port)])
    cloud_db.act("ports", port, "unplug")
    for _ in range(2):
        report(database, "hv1", [tap(port)])
        assert where(cloud_db, port) is None
    cloud_db.change("ports", port, **{"binding:host_id": "hv1"})
    report(database, "hv1", [tap(port)])
    assert where(cloud_db, port) == ("hv1", tap(port))


def test_the_cloud_s_own_ports_are_nobody_s(cloud_db: Cloud, database: Database) -> None:
    _, subnet = cloud_db.network()
    router = cloud_db.make("routers")["id"]
    gateway = cloud_db.act("routers", router, "add_router_interface", subnet_id=subnet)["port_id"]
    report(database, "hv1", [tap(gateway)])
    assert where(cloud_db, gateway) is None
    with pytest.raises(InvalidInput):
        cloud_db.act("ports", gateway, "plug", host="hv1", interface="tap1")


@pytest.mark.parametrize(("host", "interface", "error"), [
    ("hv9", "tap1", HypervisorNotFound), ("hv1", "", InvalidInput), ("hv1", "a" * 16, InvalidInput),
    ("hv1", "a b", InvalidInput), ("hv1", "a/b", InvalidInput), ("hv1", "vxlan0", InvalidInput),
    ("hv1", "br-int", InvalidInput), ("hv1", "taken", InterfaceInUse),
])
def test_refusals(cloud_db: Cloud, port: str, host: str, interface: str, error: type[NaasError]) -> None:
    cloud_db.port(cloud_db.network("10.9.0.0/24")[0], "hv1", "taken")
    with pytest.raises(error):
        cloud_db.act("ports", port, "plug", host=host, interface=interface)
    with pytest.raises(error):
        cloud_db.make("vifs", port_id=port, host=host, interface=interface)
    assert where(cloud_db, port) is None


def test_plugged_twice_is_plugged_once(cloud_db: Cloud, port: str) -> None:
    for _ in range(2):
        cloud_db.act("ports", port, "plug", host="hv1", interface="tap1")
    with pytest.raises(PortInUse, match="hv1"):
        cloud_db.act("ports", port, "plug", host="hv1", interface="tap2")
    cloud_db.act("ports", port, "unplug")
    with pytest.raises(VifNotFound):
        cloud_db.act("ports", port, "unplug")


def test_slots_are_a_hypervisor_s_own_and_used_again(cloud_db: Cloud, database: Database) -> None:
    """They number meters: two VIFs of one host never share one."""
    network, _ = cloud_db.network()

    def slot(port: str) -> int:
        with database.read() as session:
            fact = load(session, [Key("vif", port)])[Key("vif", port)]
        assert isinstance(fact, Attachment)
        return fact.slot

    ports = [cloud_db.port(network, "hv1", f"tap{number}") for number in range(4)]
    assert sorted(map(slot, ports)) == [1, 2, 3, 4]
    assert slot(cloud_db.port(network, "hv2", "tap0")) == 1
    freed = slot(ports[1])
    cloud_db.delete("ports", ports[1])
    assert slot(cloud_db.port(network, "hv1", "tap9")) == freed
