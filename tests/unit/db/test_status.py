"""ACTIVE means forwarding: a port's status from what is stored, in every combination."""
from __future__ import annotations

import itertools

import pytest

from naas_sdn.db import counters, status
from naas_sdn.db.session import Database
from naas_sdn.service import hypervisors, plugging
from tests.support.database import ADMIN, Cloud


@pytest.mark.parametrize(("up", "plugged", "acknowledged", "alive", "error"),
                         list(itertools.product((False, True), repeat=5)))
def test_a_port_s_status(cloud_db: Cloud, database: Database, *, up: bool, plugged: bool, acknowledged: bool,
                         alive: bool, error: bool) -> None:
    network, _ = cloud_db.network()
    port = cloud_db.port(network, "hv1" if plugged else None)
    cloud_db.change("ports", port, admin_state_up=up)
    with database.write() as session:
        status.set_alive(session, "hv1", alive)
        if acknowledged:
            status.acknowledge(session, {port: 1})
        if error:
            status.report_error(session, "port", port, "tests", "why")
    expected = "ERROR" if error else "ACTIVE" if up and plugged and acknowledged and alive else "DOWN"
    assert cloud_db.get("ports", port)["status"] == expected


def test_an_old_acknowledgement_does_not_count(cloud_db: Cloud, database: Database) -> None:
    """The interface went away and came back; its switch has to say so again."""
    network, _ = cloud_db.network()
    port = cloud_db.port(network, "hv1")
    with database.write() as session:
        status.set_alive(session, "hv1", True)
        status.acknowledge(session, {port: 1})
    assert cloud_db.get("ports", port)["status"] == "ACTIVE"
    with database.write() as session:
        plugging.interfaces_reported(session, "hv1", ["other"])
    assert cloud_db.get("ports", port)["status"] == "DOWN"
    with database.write() as session:
        status.acknowledge(session, {port: 1})
    assert cloud_db.get("ports", port)["status"] == "DOWN"
    with database.write() as session:
        status.acknowledge(session, {port: 2})
    assert cloud_db.get("ports", port)["status"] == "ACTIVE"


def test_errors_of_several_sources_are_told_together_and_end_one_by_one(cloud_db: Cloud, database: Database) -> None:
    network, _ = cloud_db.network()
    port = cloud_db.port(network)

    def report(source: str, reason: str | None) -> str:
        with database.write() as session:
            status.report_error(session, "port", port, source, reason)
        return str(cloud_db.get("ports", port)["status"])

    assert report("hv1", "refused") == "ERROR"
    assert report("compiler", "clash") == "ERROR"
    with database.read() as session:
        assert status.errors_of(session, "port", [port]) == {port: "clash; refused"}
    assert report("hv1", None) == "ERROR"
    assert report("compiler", None) == "DOWN"


def test_an_error_ends_with_its_object_and_with_the_hypervisor_that_told_it(cloud_db: Cloud,
                                                                            database: Database) -> None:
    network, _ = cloud_db.network()
    port = cloud_db.port(network)

    def left() -> set[tuple[str, str]]:
        with database.read() as session:
            return {(kind, source) for kind, identifier in (("network", network), ("port", port), ("hypervisor", "hv1"))
                    for source in status.errors_of(session, kind, [identifier]).values()}

    with database.write() as session:
        for source in ("hv1", "hv2"):
            status.report_error(session, "port", port, source, source)
            status.report_error(session, "network", network, source, source)
        status.report_error(session, "hypervisor", "hv1", "compiler", "compiler")
    cloud_db.delete("ports", port)
    assert left() == {("network", "hv1; hv2"), ("hypervisor", "compiler")}
    with database.write() as session:
        hypervisors.remove(session, "hv1")
    assert left() == {("network", "hv2")}
    cloud_db.delete("networks", network)
    assert left() == set()


def test_counters_only_grow(cloud_db: Cloud, database: Database) -> None:
    """A reading below the last one is of a flow that was made anew."""
    network, _ = cloud_db.network()
    port = cloud_db.port(network, "hv1")

    def read(octets: int, packets: int) -> tuple[int, int]:
        with database.write() as session:
            counters.book(session, [counters.Reading(port, "hv1", counters.Metric.IN, octets, packets)])
        with database.read() as session:
            numbers = cloud_db.resources["ports"].actions["statistics"](session, ADMIN, port, {})["statistics"]
        return numbers["bytes_in"], numbers["packets_in"]

    assert read(100, 1) == (100, 1)
    assert read(100, 1) == (100, 1)
    assert read(300, 3) == (300, 3)
    assert read(50, 1) == (350, 4)
    assert read(60, 2) == (360, 5)


def test_a_counter_older_than_the_plugging_counts_from_its_first_reading(cloud_db: Cloud, database: Database) -> None:
    network, _ = cloud_db.network()
    port = cloud_db.port(network, "hv1")

    def read(packets: int) -> int:
        lost = counters.Reading(port, "hv1", counters.Metric.INTERFACE_IN, 0, packets, own=False)
        with database.write() as session:
            counters.book(session, [lost])
        with database.read() as session:
            numbers = cloud_db.resources["networks"].actions["statistics"](session, ADMIN, network, {})["statistics"]
        assert numbers["packets_in"] == 0
        return int(numbers["dropped_packets"]["interface_in"])

    assert [read(packets) for packets in (7, 9, 9, 1)] == [0, 2, 2, 3]
