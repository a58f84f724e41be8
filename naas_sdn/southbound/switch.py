"""One admitted hypervisor: the engine's Switch over a Connection."""
from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from naas_sdn import runtime
from naas_sdn.engine.contract import Dump, FlowCount, Punt, Refused
from naas_sdn.pipeline.flow import Output, Resubmit, SetField
from naas_sdn.pipeline.program import Delta, Meter
from naas_sdn.pipeline.tables import Table
from naas_sdn.southbound import codec, guard
from naas_sdn.southbound import constants as of
from naas_sdn.southbound.connection import Connection

BUNDLE = 1
CHUNK = 500
"""Messages of a bundle that are written at once."""

SECONDS_A_FLOW = 0.001
"""Added to the time that a switch has to commit a bundle."""

class OpenFlowSwitch:
    """`host` is its hypervisor's name."""

    def __init__(self, connection: Connection, host: str) -> None:
        self._connection = connection
        self._host = host
        self._meters: set[int] = set()

    @property
    def host(self) -> str:
        return self._host

    def links(self) -> dict[str, int]:
        """OpenFlow port by interface name."""
        return {name: number for number, name in self._connection.links.items() if number < of.PORT_MAX}

    def read_links(self) -> dict[str, int]:
        self._connection.ask(codec.port_descriptions_request())
        return self.links()

    def dump(self) -> Dump:
        dump = Dump()
        for part in self._parts(codec.flow_stats_request()):
            started = time.thread_time()
            codec.read_flows(part, dump)
            dump.seconds += time.thread_time() - started
        return dump

    def counts(self, tables: Collection[int]) -> list[FlowCount]:
        return [count for table in tables for part in self._parts(codec.flow_stats_request(table))
                for count in codec.flow_stats(part)]

    def table_counts(self) -> dict[int, int]:
        return {table: flows for part in self._parts(codec.table_stats_request())
                for table, flows in codec.table_counts(part)}

    def meters(self) -> dict[int, Meter]:
        found = {meter.number: meter for part in self._parts(codec.meter_config_request())
                 for meter in codec.meter_config(part)}
        self._meters = set(found)
        return found

    def meter_drops(self) -> dict[int, tuple[int, int]]:
        return {number: (packets, octets) for part in self._parts(codec.meter_stats_request())
                for number, packets, octets in codec.meter_drops(part)}

    def port_drops(self) -> dict[int, tuple[int, int]]:
        return {number: (received, sent) for part in self._parts(codec.port_stats_request())
                for number, received, sent in codec.port_drops(part)}

    def push(self, delta: Delta) -> None:
        """Zones and meters, then one atomic bundle of adds and removes, then the meters that nothing uses any more."""
        for zone in delta.flush:
            self._connection.post(codec.flush_zone(zone))
        if delta.meters:
            self._put_meters(delta.meters)
        if delta.add or delta.remove:
            self._bundle(delta)
        if delta.drop_meters:
            for number in delta.drop_meters:
                self._connection.post(codec.meter_delete(number))
                self._meters.discard(number)
        if delta.drop_meters or delta.flush:
            self._connection.ask(codec.barrier())

    def send(self, ports: Sequence[int], frame: bytes) -> None:
        if self._connection.busy:
            self._connection.lost += 1
        else:
            self._connection.post(codec.packet_out(tuple(map(Output, ports)), frame))

    def resume(self, port: int, table: int, punt: Punt) -> None:
        if self._connection.busy:
            self._connection.lost += 1
            return
        restored = (SetField(name, value) for name, value in punt.fields.items())
        self._connection.post(codec.packet_out((*restored, Resubmit(Table(table))), punt.data, port))

    def close(self, reason: str) -> None:
        self._connection.end(reason)

    def _parts(self, request: bytes) -> Iterator[bytes]:
        """Of an answer; others run in between, however long it is."""
        for part in self._connection.ask(request):
            yield part
            runtime.sleep()

    def _put_meters(self, meters: Iterable[Meter]) -> None:
        asked: dict[int, Meter] = {}
        for meter in meters:
            command = of.METER_MODIFY if meter.number in self._meters else of.METER_ADD
            asked[self._connection.post(codec.meter_mod(command, meter))] = meter
        self._connection.ask(codec.barrier())
        known = self._connection.requests.errors
        errors = {xid: known.pop(xid) for xid in asked if xid in known}
        self._meters.update(meter.number for xid, meter in asked.items() if xid not in errors)
        if errors:
            raise Refused(tuple((asked[xid], text) for xid, text in errors.items()))

    def _bundle(self, delta: Delta) -> None:
        """In two round trips however large: everything up to a barrier, and the commit."""
        connection, count = self._connection, len(delta.add) + len(delta.remove)
        # The opening's ID is in the same row, so that all their errors are found when the IDs wrap, too.
        opened = connection.reserve(1 + count)
        first = opened + 1
        connection.write(codec.with_xid(codec.bundle_control(BUNDLE, of.BUNDLE_OPEN), opened))
        numbered = enumerate(_messages(delta), first)
        while batch := list(islice(numbered, CHUNK)):
            connection.write(b"".join([codec.bundle_add(BUNDLE, message, xid) for xid, message in batch]))
            if len(batch) == CHUNK:
                connection.breathe()
        # An add that is refused here would not stop the commit.
        connection.ask(codec.barrier())
        errors = self._errors(opened, first + count)
        if errors:
            connection.post(codec.bundle_control(BUNDLE, of.BUNDLE_DISCARD))
            if opened in errors:
                raise guard.Malformed(errors[opened])
            raise _refused(delta, first, errors)
        try:
            connection.ask(codec.bundle_control(BUNDLE, of.BUNDLE_COMMIT), 15 + SECONDS_A_FLOW * count)
        except guard.Malformed as error:
            errors = self._errors(first, first + count)
            raise _refused(delta, first, errors or {first + count: str(error)}) from error

    def _errors(self, first: int, after: int) -> dict[int, str]:
        """Those of transaction IDs from `first` on and below `after`, once."""
        known = self._connection.requests.errors
        return {xid: known.pop(xid) for xid in sorted(known) if first <= xid < after}


def _messages(delta: Delta) -> Iterator[bytes]:
    for flow in delta.add:
        yield flow.wire
    for table, cookie in delta.remove:
        yield codec.delete_flow(table, cookie)


def _refused(delta: Delta, first: int, errors: Mapping[int, str]) -> Refused:
    """`first`: the transaction ID of the Delta's first message. What is no add's is told without one."""
    after = first + len(delta.add)
    return Refused(tuple((delta.add[xid - first], text) for xid, text in errors.items() if xid < after),
                   "; ".join(text for xid, text in errors.items() if xid >= after))
