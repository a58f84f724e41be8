"""Flow counters to the database: what each port sent and received, never counted twice.

A counting flow outlives the controller, so its last reading is stored with the total; a reading below the last one
means that the flow was made anew and counts from zero. Lost at most: what was counted between the last reading and the
removal of a flow.
"""
from __future__ import annotations

import logging
from collections.abc import Callable

from naas_sdn import runtime
from naas_sdn.apps.accounting import DIRECTION
from naas_sdn.apps.contract import Group
from naas_sdn.db import counters
from naas_sdn.db.session import Database
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.contract import Disconnected, Switch

LOG = logging.getLogger(__name__)


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
                except (Disconnected, TimeoutError) as error:
                    LOG.info("no counters of %s: %s", switch.host, error)
                except Exception:
                    LOG.exception("counters of %s are read again in %s s", switch.host, self._interval)

    def book(self, switch: Switch) -> None:
        """One reading of one switch."""
        flows = self._counting_flows(switch.host)
        readings = [
            counters.Reading(port_id, switch.host, direction, count.octets, count.packets)
            for count in switch.counts(tuple(DIRECTION))
            for port_id, direction in (flows.get((count.table, count.cookie), (None, "")),)
            if port_id is not None
        ]
        with self._database.write() as session:
            counters.book(session, readings)

    def _counting_flows(self, host: str) -> dict[tuple[int, int], tuple[str, str]]:
        """(table, cookie) -> (port, direction) of this hypervisor's counting flows."""
        return {
            (flow.table, flow.cookie): (scope.id, DIRECTION[flow.table])
            for scope, program in self._compiler.groups[Group("host", host)].programs.items()
            if scope.app == "accounting"
            for flow in program.flows
        }
