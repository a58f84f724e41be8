"""One connected switch: the loop that keeps it in step, and tells the database what it acknowledged.

Start, reconnect, change and audit are this loop: compare (by versions, or by a dump when nothing is known), push,
acknowledge. It waits for a signal, never for a particular event; whatever went wrong is looked at again.
"""
from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection

from naas_sdn import runtime
from naas_sdn.apps.contract import Scope
from naas_sdn.db import status
from naas_sdn.db.session import Session as Transaction
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.contract import Disconnected, Punt, Refused, Switch
from naas_sdn.engine.renderings import Renderings
from naas_sdn.engine.replica import Plan, Replica
from naas_sdn.engine.reports import Reports
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Link, Port
from naas_sdn.pipeline.tables import Table
from naas_sdn.service import plugging

LOG = logging.getLogger(__name__)

DUMP_PAUSE = 0.2
"""Seconds at least between two dumps of one switch."""

MISSED = 256
"""Packets of one switch that wait for what they missed."""

RETRY = 1.0
"""Seconds before a step that failed is tried again."""

AUDIT = 300.0
"""Seconds until a switch that nothing happens to is looked at whole: its ports and its flows."""


def subject(scope: Scope) -> tuple[str, str] | None:
    """The (kind, id) of the object that a tenant or operator knows the scope by."""
    first, _, second = scope.id.partition(" ")
    match scope.kind:
        case "port" | "neighbour":
            return "port", scope.id
        case "subnet" | "network":
            return scope.kind, scope.id
        case "copies" | "flood":
            return "network", scope.id
        case "interface":
            return "router", first
        case "peer" | "self":
            return "hypervisor", scope.id
        case "member":
            return "hypervisor", second
        case _:
            return None


class Session:
    """Made when a switch has identified itself; `close()` when it is gone."""

    def __init__(self, switch: Switch, links: dict[str, int], reports: Reports, compiler: Compiler, *,
                 adopt: Callable[[dict[Key, Link | None]], None], tell_faults: Callable[[], None],
                 full_syncs: runtime.Semaphore, audit: float = AUDIT) -> None:
        """`adopt` takes Link facts into the model and wakes whom they concern; `tell_faults` shows the compiler's.

        `full_syncs` bounds how many switches are compared and filled whole at once. `audit`: see AUDIT.
        """
        self.switch = switch
        self._links = links
        self._reports = reports
        self._compiler = compiler
        self._adopt = adopt
        self._tell_faults = tell_faults
        self._full_syncs = full_syncs
        self._interval = audit
        self._audit = False
        self.registered = compiler.store.fact(Key("hypervisor", switch.host))
        """What it was admitted as."""
        self._replica = Replica(compiler, switch.host)
        self._wake = runtime.Signal()
        self._links_changed = True
        self._told: dict[str, int] = {}
        self._missed: list[tuple[int, Table, Punt]] = []
        self._shed = False
        self._suspects: set[tuple[int, int]] = set()
        self._renderings = Renderings()
        self._refusals: dict[Scope, str] = {}
        self._shown: dict[Scope, str] | None = None
        """The refusals that the database has; None: whatever the last session left there."""
        self._dumped = 0.0
        self._thread = runtime.spawn(self._run)

    @property
    def host(self) -> str:
        return self.switch.host

    def wake(self) -> None:
        """Something may have changed: look."""
        self._wake.set()

    def relink(self, links: dict[str, int]) -> None:
        """The switch's ports, whole."""
        self._links = links
        self._links_changed = True
        self._wake.set()

    def ask(self, asker: str, port: Port) -> None:
        """A machine here, on port `asker`, talks to `port`."""
        self._replica.ask(asker, port)
        self._wake.set()

    def resume(self, number: int, table: Table, punt: Punt) -> None:
        """Put a packet back once the switch has what it missed; beyond a limit it is lost."""
        if len(self._missed) < MISSED:
            self._missed.append((number, table, punt))

    def shed(self) -> None:
        """Forget the remote ports of wide networks that nothing was sent to since the last call."""
        self._shed = self._replica.interests.any
        self._wake.set()

    def distrust(self, flows: Collection[tuple[int, int]]) -> None:
        """Somebody else touched these flows: compare with a dump, and write them again whatever it shows."""
        self._suspects.update(flows)
        self._replica.synced = False
        self._wake.set()

    def close(self) -> None:
        self._thread.kill()
        self._replica.close()

    def _run(self) -> None:
        delay: float = 0
        while True:
            if not self._wake.wait(delay or self._interval) and not delay:
                self._audit = True
            try:
                self._step()
                delay = 0
            except (Disconnected, TimeoutError) as error:
                LOG.warning("%s: %s", self.host, error)
                self.switch.close(str(error))
                return
            except Exception:
                LOG.exception("%s: looking again in %s s", self.host, RETRY)
                delay = RETRY

    def _step(self) -> None:
        if self._audit:
            self._look_again()
        if self._links_changed:
            self._links_changed = False
            self._report_links(self._links)
        if self._shed:
            self._shed = False
            self._replica.age({count.cookie: count.packets for count in self.switch.counts((Table.L2,))})
        missed, self._missed = self._missed, []
        self._compile()
        plan = self._plan()
        while plan is None or plan.delta or not self._replica.synced:
            if plan is not None:
                self._push(plan)
            else:
                with self._full_syncs:
                    self._push(self._plan_from_dump())
            plan = self._plan()
        self._replica.acknowledge(plan)
        self._tell_refusals()
        for number, table, punt in missed:
            self.switch.resume(number, table, punt)
        self._acknowledge_ports()

    def _push(self, plan: Plan) -> None:
        try:
            self.switch.push(plan.delta)
        except Refused as refused:
            self._quarantine(plan, refused)
        else:
            self._replica.acknowledge(plan)

    def _look_again(self) -> None:
        """Whatever nobody told: the ports are read, and the flows are compared with a dump."""
        links = self.switch.read_links()
        if links != self._links:
            self.relink(links)
        self._replica.synced = False
        self._audit = False

    def _compile(self) -> None:
        """What is subscribed to and nobody has asked for before; others run in between."""
        for group in self._replica.groups():
            while not self._compiler.advance(group):
                runtime.sleep()
        self._tell_faults()

    def _plan(self) -> Plan | None:
        return self._replica.plan() if self._replica.synced else None

    def _plan_from_dump(self) -> Plan:
        # Who fights over a switch must not keep the controller busy.
        runtime.sleep(max(0.0, self._dumped + DUMP_PAUSE - time.monotonic()))
        suspects, self._suspects = self._suspects, set()
        dump = self.switch.dump()
        self._dumped = time.monotonic()
        have = Counter((count.table, count.cookie) for count in dump)
        drifted = self._renderings.drifted(dump, suspects)
        return self._replica.plan_from_dump(have, self.switch.meters(), drifted)

    def _quarantine(self, plan: Plan, refused: Refused) -> None:
        guilty = plan.blame([culprit for culprit, _ in refused.flows])
        if not guilty:
            raise refused
        why = "; ".join(sorted({reason for _, reason in refused.flows}))
        for change in guilty:
            LOG.error("%s refuses %s: %s", self.host, change.scope, why)
            self._replica.quarantine(change)
            self._refusals[change.scope] = why

    def _tell_refusals(self) -> None:
        """Show on the objects concerned what the switch refuses, and nothing more of what it has taken since."""
        self._refusals = {scope: why for scope, why in self._refusals.items() if scope in self._replica.stuck}
        if self._refusals == self._shown:
            return
        self._shown = dict(self._refusals)
        errors = {named: f"refused by hypervisor {self.host}: {why}" for scope, why in self._refusals.items()
                  if (named := subject(scope)) is not None}
        self._reports.put(lambda session: status.replace_errors(session, self.host, errors), self._report_all)

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
        self._wake.set()

    def _stuck(self, port_id: str) -> bool:
        return any(scope.id == port_id for scope in (*self._replica.stuck, *self._compiler.faults))
