"""Counters to the database: what each port sent, received and lost, never counted twice.

A counting flow outlives the controller, so its last reading is stored with the total; a reading below the last one
means that the flow was made anew and counts from zero. Lost at most: what was counted between the last reading and the
removal of a flow. What no flow counts, for the switch drops it by itself, is read from its meters and ports.
"""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from naas_sdn import runtime
from naas_sdn.apps.accounting import DIRECTION
from naas_sdn.apps.contract import Group
from naas_sdn.db import counters
from naas_sdn.db.counters import Metric, Reading
from naas_sdn.db.session import FOREVER, Database
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.contract import Disconnected, Switch
from naas_sdn.errors import ServiceUnavailable
from naas_sdn.model.store import Key, View
from naas_sdn.pipeline.program import Meter, Police
from naas_sdn.pipeline.tables import Table

LOG = logging.getLogger(__name__)

POLICED = {Police.PUNT: Metric.LIMIT_PUNT, Police.FROM: Metric.LIMIT_OUT, Police.TO: Metric.LIMIT_IN,
           Police.ANSWER: Metric.LIMIT_ANSWER, Police.FROM_PACKETS: Metric.LIMIT_PPS_OUT,
           Police.TO_PACKETS: Metric.LIMIT_PPS_IN}


class Ledger:
    """Polls every connected switch each `interval` seconds."""

    def __init__(self, database: Database, compiler: Compiler, switches: Callable[[], list[Switch]],
                 interval: float) -> None:
        self._database = database
        self._compiler = compiler
        self._switches = switches
        self._interval = interval

    def run(self) -> None:
        """Read and book until killed."""
        while True:
            runtime.sleep(self._interval)
            for switch in self._switches():
                try:
                    self.book(switch)
                except (Disconnected, TimeoutError, ServiceUnavailable) as error:
                    LOG.info("no counters of %s: %s", switch.host, error)
                except Exception:
                    LOG.exception("counters of %s are read again in %s s", switch.host, self._interval)

    def book(self, switch: Switch) -> None:
        """One reading of one switch."""
        readings = [*self._traffic(switch), *self._drops(switch)]
        self._database.transact(lambda session: counters.book(session, readings), FOREVER)

    def _traffic(self, switch: Switch) -> Iterator[Reading]:
        flows = self._counting_flows(switch.host)
        for count in switch.counts(tuple(DIRECTION)):
            named = flows.get((count.table, count.cookie))
            if named is not None:
                yield Reading(named[0], switch.host, named[1], count.octets, count.packets)

    def _drops(self, switch: Switch) -> Iterator[Reading]:
        """What meters cut off, and what was lost at the machines' interfaces."""
        view = View(self._compiler.store, switch.host)
        policed, lost = switch.meter_drops(), switch.port_drops()
        for port_id in self._compiler.store.elements(Key("attachments of host", switch.host)):
            attachment = view.attachment(port_id)
            link = view.link(switch.host, attachment.interface) if attachment is not None else None
            if attachment is None or link is None:
                continue
            for use, metric in POLICED.items():
                packets, octets = policed.get(Meter.numbered(attachment.slot, use), (0, 0))
                if packets:
                    yield Reading(port_id, switch.host, metric, octets, packets)
            # VLANs share the interface with whoever has it whole.
            if link.number in lost and attachment.vlan is None:
                # Received by the switch is sent by the machine.
                sent, received = lost[link.number]
                yield Reading(port_id, switch.host, Metric.INTERFACE_OUT, 0, sent, own=False)
                yield Reading(port_id, switch.host, Metric.INTERFACE_IN, 0, received, own=False)

    def _counting_flows(self, host: str) -> dict[tuple[int, int], tuple[str, Metric]]:
        """(table, cookie) -> (port, metric) of this hypervisor's counting flows."""
        return {
            (table, cookie): (scope.id, Metric(DIRECTION[Table(table)]))
            for scope, program in self._compiler.group(Group("host", host)).programs.items() if scope.kind == "port"
            for table, cookie in program.names() if table in DIRECTION
        }
