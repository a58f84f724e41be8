"""One connected switch: the loop that keeps it in step, and tells the database what it acknowledged.

Start, reconnect, change, audit and repair are this loop: compare (by versions, or by a dump when nothing is known or
something tells of a fault), push, acknowledge. It waits for a signal, never for a particular event; whatever went wrong
is looked at again.
"""
from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass

from naas_sdn import runtime
from naas_sdn.apps.contract import Scope
from naas_sdn.apps.provider import uplink_number
from naas_sdn.apps.wire import tagged
from naas_sdn.db import status
from naas_sdn.db.session import Session as Transaction
from naas_sdn.engine.announcer import Announcements
from naas_sdn.engine.audit import AuditLog, Cause, subject
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.contract import Disconnected, Punt, Refused, Switch
from naas_sdn.engine.difference import Difference
from naas_sdn.engine.doubts import LIES, Doubts
from naas_sdn.engine.groups import Change
from naas_sdn.engine.replica import Plan, Replica
from naas_sdn.engine.reports import Reports
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Link, Port
from naas_sdn.pipeline.program import Announcement, Delta, FlowMod, Name
from naas_sdn.pipeline.tables import Table
from naas_sdn.service import plugging

LOG = logging.getLogger(__name__)
TRACE = logging.getLogger("naas_sdn.trace")
"""One line of JSON for each push that requests of the API led to."""

METERS = 4
"""One check in so many compares the meters too: that costs more than all the counts."""

TRACED = 64
"""Requests that one line of the trace names."""

MISSED = 256
"""Packets of one switch that wait for what they missed."""

RETRY = 1.0
"""Seconds before a step that failed is tried again."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """An operator's question. `tell` gets what differs; None when the switch went before it was asked."""

    repair: bool
    tell: Callable[[Difference | None], None]


class Session:
    """Made when a switch has identified itself; `close()` when it is gone."""

    def __init__(self, switch: Switch, links: dict[str, int], reports: Reports, compiler: Compiler, *,
                 adopt: Callable[[dict[Key, Link | None]], None], tell_faults: Callable[[], None],
                 full_syncs: runtime.Semaphore, moves: runtime.Semaphore, log: AuditLog) -> None:
        """`adopt` takes Link facts into the model and wakes whom they concern; `tell_faults` shows the compiler's.

        `full_syncs` bounds how many switches are compared and filled whole at once, `moves` how many ask what they
        subscribe to before others get a turn.
        """
        self.switch = switch
        self._links = links
        self._reports = reports
        self._compiler = compiler
        self._adopt = adopt
        self._tell_faults = tell_faults
        self._full_syncs = full_syncs
        self._moves = moves
        self.registered = compiler.store.fact(Key("hypervisor", switch.host))
        """What it was admitted as."""
        self._replica = Replica(compiler, switch.host)
        self._wake = runtime.Signal()
        self._links_changed = True
        self._requests: dict[str, None] = {}
        """IDs of what may have changed something here since the last step that was whole."""
        self._told: dict[str, int] = {}
        self._missed: list[tuple[int, Table, Punt]] = []
        self._shed = False
        self._log = log
        self._announcements = Announcements()
        self._doubts = Doubts()
        self._known = False
        self._stirred = True
        """There may be more to do than a check."""
        self._checking = False
        self._checks = 0
        self._audits: list[runtime.Future] = []
        self._inspections: list[Inspection] = []
        self._reread = False
        self._refusals: dict[Scope, str] = {}
        self._shown: dict[tuple[str, str], str] | None = None
        """The errors that the database has; None: whatever the last session left there."""
        self._thread = runtime.spawn(self._run)

    @property
    def host(self) -> str:
        return self.switch.host

    def wake(self, requests: Iterable[str] = ()) -> None:
        """Something may have changed, by these requests of the API: look."""
        self._requests.update(dict.fromkeys(requests))
        self._stirred = True
        self._wake.set()

    def relink(self, links: dict[str, int]) -> None:
        """The switch's ports, whole."""
        self._links = links
        self._links_changed = True
        self.wake()

    def ask(self, asker: str, port: Port) -> None:
        """A machine here, on port `asker`, talks to `port`."""
        self._replica.ask(asker, port)
        self.wake()

    def resume(self, number: int, table: Table, punt: Punt) -> None:
        """Put a packet back once the switch has what it missed; beyond a limit it is lost."""
        if len(self._missed) < MISSED:
            self._missed.append((number, table, punt))

    def shed(self) -> None:
        """Forget the remote ports of wide networks that nothing was sent to since the last call."""
        self._shed = self._replica.interests.any
        self.wake()

    def distrust(self, flows: Collection[Name]) -> None:
        """Somebody else touched these flows: compare with a dump, and write them again whatever it shows."""
        self._doubts.add(Cause.MONITOR, flows)
        self.wake()

    def check(self) -> None:
        """Compare how many flows each table has, and the meters, once the switch is in step."""
        self._checking = True
        self._wake.set()

    def audit(self) -> runtime.Future:
        """Read the ports again, and compare everything; the CPU seconds that it took."""
        future = runtime.Future()
        self._audits.append(future)
        self._reread = True
        self._doubts.add(Cause.AUDIT)
        self.wake()
        return future

    def inspect(self, inspection: Inspection) -> None:
        """Compare everything for an operator, who is told; and repair it if he says so."""
        self._inspections.append(inspection)
        self.wake()

    def close(self) -> None:
        self._thread.kill()
        self._replica.close()
        for future in self._audits:
            future.fail(Disconnected(f"{self.host} is gone"))
        for inspection in self._inspections:
            inspection.tell(None)

    def _run(self) -> None:
        delay: float | None = None
        while True:
            woken = self._wake.wait(delay)
            try:
                if self._stirred or not woken:
                    self._stirred = False
                    self._step()
                if self._checking:
                    self._checking = False
                    self._count()
                delay = self._doubts.wait
            except (Disconnected, TimeoutError) as error:
                LOG.warning("%s: %s", self.host, error)
                self.switch.close(str(error))
                return
            except Exception:
                LOG.exception("%s: looking again in %s s", self.host, RETRY)
                self._stirred, delay = True, RETRY

    def _step(self) -> None:
        if self._reread:
            self._reread = False
            links = self.switch.read_links()
            if links != self._links:
                self.relink(links)
        if self._links_changed:
            self._links_changed = False
            self._report_links(self._links)
        if self._shed:
            self._shed = False
            self._replica.age({count.cookie: count.packets for count in self.switch.counts((Table.L2,))})
        missed, self._missed = self._missed, []
        asked = list(self._requests)
        self._compile()
        self._settle()
        if self._doubts.wait == 0.0:
            self._replica.synced = False
            self._settle()
        for request in asked:
            self._requests.pop(request, None)
        while self._inspections:
            self._look_for(self._inspections.pop(0))
        self._tell_errors()
        for number, table, punt in missed:
            self.switch.resume(number, table, punt)
        self._acknowledge_ports()

    def _compile(self) -> None:
        """What is subscribed to and nobody has asked for before; others run in between."""
        if self._replica.moved:
            # A router whose networks become wide moves all its hypervisors: a port's wiring must not wait for them all.
            with self._moves:
                self._replica.groups()
                runtime.sleep()
        for group in self._replica.groups():
            while not self._compiler.advance(group):
                runtime.sleep()
        self._tell_faults()

    def _settle(self) -> None:
        """Push until the switch has all that it should."""
        plan = self._replica.plan() if self._replica.synced else None
        while plan is None or plan.delta or not self._replica.synced:
            if plan is not None:
                self._push(plan)
            else:
                with self._full_syncs:
                    self._look()
            plan = self._replica.plan() if self._replica.synced else None
        self._acknowledge(plan)

    def _push(self, plan: Plan) -> bool:
        """Whether the switch has taken it; else whoever is guilty is in quarantine."""
        try:
            self.switch.push(plan.delta)
        except Refused as refused:
            self._quarantine(plan, refused)
            return False
        self._acknowledge(plan)
        self._trace(plan.delta)
        return True

    def _acknowledge(self, plan: Plan) -> None:
        self._replica.acknowledge(plan)
        for announcement in self._announcements.follow(plan.changes, time.monotonic(), whole=plan.holds is not None):
            self._announce(announcement, announcement.farewell)

    def announce(self, now: float) -> None:
        """Send what is due at this moment of the monotonic clock."""
        for announcement in self._announcements.due(now):
            self._announce(announcement, announcement.frame)

    def _announce(self, announcement: Announcement, frame: bytes) -> None:
        """To every machine of the network here, or to the physical network."""
        view = View(self._compiler.store, self.host)
        if announcement.uplink is not None:
            number = uplink_number(view, self.host, announcement.uplink)
            if number is not None and frame:
                self.switch.send((number,), frame)
            return
        network_id = announcement.network_id
        links: dict[int | None, list[int]] = {}
        for port_id in sorted(self._compiler.store.elements(Key("attachments of network on host",
                                                                (network_id, self.host)))):
            port, attachment = view.port(port_id), view.attachment(port_id)
            link = view.link(self.host, attachment.interface) if attachment is not None else None
            if port is not None and port.admin_up and link is not None:
                links.setdefault(attachment.vlan if attachment is not None else None, []).append(link.number)
        for vlan, numbers in links.items():
            self.switch.send(numbers, tagged(frame, vlan))

    def _trace(self, delta: Delta) -> None:
        if self._requests and TRACE.isEnabledFor(logging.DEBUG):
            TRACE.debug("%s", json.dumps({
                "hypervisor": self.host, "added": len(delta.add), "removed": len(delta.remove),
                "requests": list(self._requests)[:TRACED], "more": max(0, len(self._requests) - TRACED)}))

    def _look(self) -> None:
        """Compare with a dump, and repair. What was in step and is not any more is a fault."""
        cause, suspects = self._doubts.take()
        difference, seconds = self._compare(suspects)
        pending = self._replica.plan() if self._known else None
        faults = list(difference.faults(pending.delta if pending is not None else None))
        repaired = self._push(self._replica.repair(difference))
        audits, self._audits = self._audits, []
        for future in audits:
            future.resolve(seconds)
        if not self._known or cause is None:
            LOG.info("%s: %d flows added, %d changed, %d removed", self.host, len(difference.missing),
                     len(difference.changed), len(difference.foreign))
        elif faults:
            self._log.book(self.host, cause, suspects, faults, repaired)
            self._doubts.looked([fault.name for fault in faults if fault.name is not None and fault.scope is not None])
        else:
            self._doubts.looked(())
            # Whatever happened to the rows, they are told again.
            self._told.clear()
        self._known = self._known or self._replica.synced

    def _compare(self, suspects: Container[Name] = ()) -> tuple[Difference, float]:
        """With the CPU seconds that it took."""
        dump = self.switch.dump()
        meters = self.switch.meters()
        started = time.thread_time()
        if not self._known:
            self._replica.remember(dump)
        difference = self._replica.compare(dump, meters, suspects)
        return difference, dump.seconds + time.thread_time() - started

    def _count(self) -> None:
        """A fault that nobody told of shows in the counts, or, now and then, in the meters."""
        self._checks += 1
        if (Counter(self.switch.table_counts()) != self._replica.tables
                or (self._checks % METERS == 0 and self.switch.meters() != self._replica.meters)):
            self._doubts.add(Cause.COUNT)
        elif self._doubts.strikes:
            self._doubts.settled()
            self._tell_errors()

    def _look_for(self, inspection: Inspection) -> None:
        difference, _ = self._compare()
        inspection.tell(difference)
        if inspection.repair and difference:
            self._doubts.add(Cause.COMMAND)
            self._replica.synced = False
            self._settle()

    def _quarantine(self, plan: Plan, refused: Refused) -> None:
        culprits = [culprit for culprit, _ in refused.flows]
        guilty = plan.blame(culprits) if culprits else self._search(plan.adding())
        if not guilty:
            raise refused
        why = "; ".join(sorted({reason for _, reason in refused.flows})) or str(refused)
        for change in guilty:
            LOG.error("%s refuses %s: %s", self.host, change.scope, why)
            self._replica.quarantine(change)
            self._refusals[change.scope] = why

    def _tell_errors(self) -> None:
        """Show on the objects concerned what the switch refuses or does not keep, and nothing more of what is over."""
        self._refusals = {scope: why for scope, why in self._refusals.items() if scope in self._replica.stuck}
        errors = {named: f"refused by hypervisor {self.host}: {why}" for scope, why in self._refusals.items()
                  if (named := subject(scope)) is not None}
        if self._doubts.strikes >= LIES:
            errors["hypervisor", self.host] = "its switch does not keep what it has acknowledged"
        if errors != self._shown:
            self._shown = errors
            self._reports.put(lambda session: status.replace_errors(session, self.host, errors), self._report_all)

    def _search(self, adding: Sequence[tuple[Change, tuple[FlowMod, ...]]]) -> list[Change]:
        """Which of these the switch refuses, by halves; what it takes meanwhile it should hold anyway."""
        try:
            self.switch.push(Delta(add=tuple(flow for _, flows in adding for flow in flows)))
        except Refused:
            if len(adding) <= 1:
                return [change for change, _ in adding]
            middle = len(adding) // 2
            return self._search(adding[:middle]) + self._search(adding[middle:])
        return []

    def _report_links(self, links: dict[str, int]) -> None:
        """Tell the model which interfaces the switch has, and the database which VIFs came and went."""
        store = self._compiler.store
        known = store.elements(Key("interfaces of host", self.host))
        changes: dict[Key, Link | None] = {
            Key("link", (self.host, name)): Link(self.host, name, number) for name, number in links.items()
        }
        changes.update((Key("link", (self.host, name)), None) for name in known - links.keys())

        def report(session: Transaction) -> None:
            plugging.interfaces_reported(session, self.host, frozenset(links))
            status.set_alive(session, self.host, True)

        self._reports.put(report, self._report_all)
        self._told.clear()
        self._adopt(changes)

    def _acknowledge_ports(self) -> None:
        """The switch holds all flows of what is plugged here: say so once for each plugging."""
        store = self._compiler.store
        ready: dict[str, int] = {}
        view = View(store, self.host)
        for port_id in store.elements(Key("attachments of host", self.host)):
            attachment = view.attachment(port_id)
            if attachment is None or self._told.get(port_id) == attachment.plugging:
                continue
            if not self._stuck(port_id) and view.link(self.host, attachment.interface) is not None:
                ready[port_id] = attachment.plugging
        if ready:
            self._reports.put(lambda session: status.acknowledge(session, ready), self._report_all)
            self._told.update(ready)

    def _report_all(self) -> None:
        """Look at what there is to report from the beginning."""
        self._links_changed = True
        self._shown = None
        self.wake()

    def _stuck(self, port_id: str) -> bool:
        return any(scope.id == port_id for scope in (*self._replica.stuck, *self._compiler.faults))
