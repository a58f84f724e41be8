"""Statistics of all ports that somebody sees, as a list."""
from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

import pytest

from naas_sdn.db import counters
from naas_sdn.db.counters import Metric, Reading
from tests.api.test_statements import statements
from tests.api.wire import GONE, Wire

COUNTS = ("bytes_in", "packets_in", "bytes_out", "packets_out")


def booked(wire: Wire, port: str, *counted: tuple[Metric, int, int], host: str = "hv1") -> None:
    with wire.database.write() as session:
        counters.book(session, [Reading(port, host, metric, octets, packets) for metric, octets, packets in counted])


def ids(items: Iterable[dict[str, str]]) -> list[str]:
    return [item["port_id"] for item in items]


def test_each_port_s_traffic_is_listed_whatever_hypervisors_it_was_on(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    busy, idle = (wire.make("ports", network_id=network, name=name)["id"] for name in ("busy", "idle"))
    booked(wire, busy, (Metric.OUT, 1000, 10), (Metric.IN, 500, 5), (Metric.LIMIT_OUT, 70, 7))
    booked(wire, busy, (Metric.OUT, 100, 1), host="hv2")
    listed = {item["port_id"]: item for item in wire.ask("GET", "statistics").body["statistics"]}
    assert [listed[busy][name] for name in COUNTS] == [500, 5, 1100, 11]
    assert listed[busy]["dropped_packets"]["rate_limit_out"] == 7
    assert [listed[idle][name] for name in COUNTS] == [0] * 4 and listed[idle]["updated_at"] is None
    assert wire.ask("GET", f"statistics/{busy}").body == {"statistic": listed[busy]}
    of_port = wire.ask("GET", f"ports/{busy}/statistics").body["statistics"]
    assert {name: of_port[name] for name in COUNTS} == {name: listed[busy][name] for name in COUNTS}


def test_filters_fields_order_and_pages(wire: Wire) -> None:
    network, other = wire.make("networks")["id"], wire.make("networks")["id"]
    ports = [wire.make("ports", network_id=network, name=f"p{number}")["id"] for number in range(3)]
    elsewhere = wire.make("ports", network_id=other, name="p3")["id"]

    def found(query: str) -> list[str]:
        return ids(wire.ask("GET", f"statistics?{query}").body["statistics"])

    assert sorted(found(f"network_id={network}")) == sorted(ports)
    assert found(f"port_id={elsewhere}") == found("name=p3") == [elsewhere]
    assert found("sort_key=name&sort_dir=desc") == [elsewhere, *reversed(ports)]
    assert wire.ask("GET", f"statistics?port_id={elsewhere}&fields=port_id").body == {
        "statistics": [{"port_id": elsewhere}]}
    page = wire.ask("GET", "statistics?sort_key=name&limit=3").body
    [link] = [link["href"] for link in page["statistics_links"] if link["rel"] == "next"]
    following = wire.ask("GET", f"statistics?{urlsplit(link).query}").body["statistics"]
    assert [*ids(page["statistics"]), *ids(following)] == [*ports, elsewhere]


def test_only_for_who_sees_the_port(wire: Wire) -> None:
    port = wire.make("ports", network_id=wire.make("networks")["id"])["id"]
    assert wire.ask("GET", "statistics", who="bob").body == {"statistics": []}
    for who, identifier in (("bob", port), ("alice", GONE)):
        answer = wire.ask("GET", f"statistics/{identifier}", who=who)
        assert (answer.status, answer.error) == (404, "PortNotFound")
    assert ids(wire.ask("GET", "statistics", who="admin").body["statistics"]) == [port]
    assert ids(wire.ask("GET", "statistics", who="reader").body["statistics"]) == [port]


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "statistics"), ("PUT", "statistics/{}"), ("DELETE", "statistics/{}")])
def test_they_are_only_read(wire: Wire, method: str, path: str) -> None:
    port = wire.make("ports", network_id=wire.make("networks")["id"])["id"]
    body = None if method == "DELETE" else {"statistic": {}}
    answer = wire.ask(method, path.format(port), body, who="admin")
    assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")


def test_a_list_takes_as_many_statements_whatever_is_in_it(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    counts = []
    for _ in range(2):
        for _ in range(3):
            booked(wire, wire.make("ports", network_id=network)["id"], (Metric.OUT, 1, 1))
        with statements() as heard:
            wire.ask("GET", "statistics")
        counts.append(len(heard))
    assert counts[0] == counts[1] <= 4
