"""The meeting place: facts come in from the plugins, switches from the south; Sessions bring the two in step."""
from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from naas_sdn import errors, runtime
from naas_sdn.apps import nat_errors
from naas_sdn.apps.contract import App, PacketIn, Scope
from naas_sdn.apps.provider import uplink_number
from naas_sdn.apps.wire import tagged
from naas_sdn.db import status
from naas_sdn.db.session import Database
from naas_sdn.db.session import Session as Transaction
from naas_sdn.engine.audit import AuditLog, subject
from naas_sdn.engine.compiler import WIDEST, Compiler
from naas_sdn.engine.contract import Identity, Punt, Switch
from naas_sdn.engine.interest import RESUME, target
from naas_sdn.engine.next_hops import NextHops
from naas_sdn.engine.presence import Presence
from naas_sdn.engine.reports import Reports
from naas_sdn.engine.session import Session
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Absent, Attachment, Fact, Hypervisor, Link, Port, Router
from naas_sdn.pipeline.program import Encode
from naas_sdn.pipeline.tables import FLAGS, IN, NET, REASON, Flag, Reason
from naas_sdn.service import hypervisors

LOG = logging.getLogger(__name__)

FULL_SYNCS = 8
"""Switches that are compared and filled whole at once. Each takes some kilobytes a flow while it lasts, and the more
share the processor, the later the first is done."""

GRACE = 20.0
"""Seconds that switches have to reconnect after the controller's start before they count as gone."""


FROM_CONTROLLER = 0xFFFFFFFD
"""The port of what the controller itself sends (OFPP_CONTROLLER): it may leave by any."""

PUNTS = frozenset(Reason)


@dataclass(frozen=True, slots=True)
class Description:
    """What a switch's dp_desc says of it: `NAME;vtep=ADDRESS`."""

    name: str
    vtep: str | None

    @classmethod
    def parse(cls, text: str) -> Description:
        name, _, rest = text.partition(";")
        values = dict(item.partition("=")[::2] for item in rest.split(";") if item)
        return cls(name.strip(), values.get("vtep"))


class Engine:
    """Implements the seam to the switches (engine/contract.py, Fleet) and the OpenFlow plugins' *apply*."""

    def __init__(self, database: Database, apps: Iterable[App], encode: Encode, *, auto_register: bool = False,
                 widest: int = WIDEST) -> None:
        """`encode`, `widest`: see Compiler. `auto_register`: believe what switches that are not registered say."""
        self._database = database
        self._reports = Reports(database)
        self._apps = tuple(apps)
        self._answers: dict[int, App] = {reason: app for app in self._apps for reason in app.reasons}
        self._sessions: dict[str, Session] = {}
        self._full_syncs = runtime.Semaphore(FULL_SYNCS)
        self._moves = runtime.Semaphore(1)
        self._told: dict[Scope, str] = {}
        self._requests: Mapping[Key, tuple[str, ...]] = {}
        self._auto_register = auto_register
        self._presence = Presence(time.monotonic())
        self.audit_log = AuditLog()
        self.compiler = Compiler(self._apps, encode, widest)
        self._next_hops = NextHops(self.compiler.store, self._reports)

    # Facts, from the plugins

    def because(self, requests: Mapping[Key, tuple[str, ...]]) -> None:
        """The IDs of the API's requests that made the changes which come next."""
        self._requests = requests

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> None:
        """Take in what changed, compile, and wake the hypervisors concerned."""
        changes = list(changes)
        # A plug that changes no flow still waits for its acknowledgement; its own hypervisor is the first to look.
        plugged = {fact.host for key, new in changes for fact in (new, self.compiler.store.fact(key))
                   if isinstance(fact, Attachment)}
        concerned = self.compiler.apply(changes)
        for key, fact in changes:
            if key.kind == "hypervisor":
                self._readmit(key.id, fact)
        requests = [request for key, _ in changes for request in self._requests.get(key, ())]
        for host in (*plugged, *(concerned - plugged)):
            if host in self._sessions:
                self._sessions[host].wake(requests)
        self._tell_faults()

    # Switches, from the south

    def admit(self, identity: Identity) -> str:
        """The name of the hypervisor that may speak for this datapath ID.

        Raises PolicyNotAuthorized when it is not registered, contradicts the register, or shows another's
        certificate.
        """
        store = self.compiler.store
        names = store.elements(Key("hypervisor of datapath", identity.datapath_id))
        if not names and self._auto_register:
            self._register(identity)
        if not names:
            raise errors.PolicyNotAuthorized(
                f"Datapath {identity.datapath_id:016x} at {identity.address} is not registered; "
                f"`naas-sdn hypervisor add` would register it.")
        name = str(next(iter(names)))
        known = store.fact(Key("hypervisor", name))
        assert isinstance(known, Hypervisor)
        says = Description.parse(identity.description)
        if says.name != name or (says.vtep is not None and says.vtep != str(known.vtep)):
            raise errors.PolicyNotAuthorized(
                f"Datapath {identity.datapath_id:016x} says it is {identity.description!r}, "
                f"but it is registered as '{name};vtep={known.vtep}'.")
        if identity.certificate is not None and identity.certificate != (known.certificate or name):
            raise errors.PolicyNotAuthorized(
                f"The certificate of {identity.certificate!r} does not speak for hypervisor {name}, "
                f"which is registered with {known.certificate or name!r}.")
        return name

    def connected(self, switch: Switch, links: dict[str, int]) -> None:
        old = self._sessions.pop(switch.host, None)
        if old is not None:
            old.close()
        session = Session(switch, links, self._reports, self.compiler, adopt=self._adopt,
                          tell_faults=self._tell_faults, full_syncs=self._full_syncs, moves=self._moves,
                          log=self.audit_log)
        self._sessions[switch.host] = session
        self._presence.came(switch.host, time.monotonic())
        session.wake()

    def links(self, switch: Switch, links: dict[str, int]) -> None:
        session = self._session(switch)
        if session is not None:
            session.relink(links)

    def disconnected(self, switch: Switch) -> None:
        session = self._session(switch)
        if session is None:
            return
        session.close()
        del self._sessions[switch.host]
        self._presence.left(switch.host, time.monotonic())
        self._book_loss(switch.host)

    def packet_in(self, switch: Switch, punt: Punt) -> None:
        """Answer a punt out of the port that it came from, or fetch what it missed."""
        number = punt.fields.get(REASON, 0)
        view = View(self.compiler.store, switch.host)
        if number == Reason.OUTSIDE:
            self._hear(switch, view, punt)
            return
        if punt.fields.get(FLAGS, 0) & Flag.UPLINK:
            if number == Reason.UNKNOWN_HOP:
                self._fetch_for_outside(view, punt)
            return
        port = view.port_of_key(punt.fields.get(IN, 0))
        attachment = view.attachment(port.id) if port is not None else None
        if port is None or attachment is None or attachment.host != switch.host or number not in PUNTS:
            return
        link, reason = view.link(switch.host, attachment.interface), Reason(number)
        app = self._answers.get(reason)
        if link is not None and reason in RESUME:
            self._fetch(view, port, reason, punt, link.number)
        elif link is not None and app is not None:
            packet = PacketIn(switch.host, port.id, reason, punt.data, punt.fields.get(NET, 0))
            for frame in app.packet_in(view, packet):
                switch.send((link.number,), tagged(frame, attachment.vlan))

    def _fetch(self, view: View, port: Port, reason: Reason, punt: Punt, number: int) -> None:
        """The sender's hypervisor and the receiver's get to know of each other's port; then the packet goes on."""
        found = target(view, reason, punt.fields.get(NET, 0), punt.data)
        attachment = view.attachment(found.id) if found is not None else None
        if found is None or attachment is None:
            return
        there = self._sessions.get(attachment.host)
        if there is not None:
            there.ask(found.id, port)
        here = self._sessions.get(view.host or "")
        if here is not None:
            here.ask(port.id, found)
            if punt.complete:
                here.resume(number, RESUME[reason], punt)

    def _hear(self, switch: Switch, view: View, punt: Punt) -> None:
        key = punt.fields.get(NET, 0)
        found = nat_errors.corrected(view, key, punt.data) if punt.complete else None
        if found is not None:
            frame, table = found
            switch.resume(FROM_CONTROLLER, table, Punt(punt.fields, frame, complete=True))
        elif punt.fields.get(FLAGS, 0) & Flag.UPLINK:
            self._next_hops.hear(key, punt.data, time.monotonic())

    def _fetch_for_outside(self, view: View, punt: Punt) -> None:
        """What comes in by a gateway is for a machine of a wide network: this hypervisor gets to know of its port."""
        host = view.host or ""
        found, here = target(view, Reason.UNKNOWN_HOP, punt.fields.get(NET, 0), punt.data), self._sessions.get(host)
        numbers = [number for physical_network in view.uplinks_of(host)
                   if (number := uplink_number(view, host, physical_network)) is not None]
        if found is not None and here is not None:
            here.ask(found.id, found)
            if punt.complete and numbers:
                here.resume(numbers[0], RESUME[Reason.UNKNOWN_HOP], punt)

    def changed_behind(self, switch: Switch, flows: Collection[tuple[int, int]]) -> None:
        session = self._session(switch)
        if session is not None:
            LOG.warning("%s: somebody else changed %d flows", switch.host, len(flows))
            session.distrust(flows)

    def watch(self) -> None:
        """Every second: who is gone, so that others take their routers' gateways over, and what answers out there."""
        store = self.compiler.store
        while True:
            runtime.sleep(1.0)
            now, hosts = time.monotonic(), store.elements(Key("hypervisors", ""))
            absent = self._presence.absent(hosts, now) | set(filter(self._is_cut_off, self._sessions))
            changed = {host for host in hosts if (host in absent) != (store.fact(Key("absent", host)) is not None)}
            if changed:
                self.apply([(Key("absent", host), Absent(host) if host in absent else None)
                            for host in sorted(changed)])
            self._next_hops.settle(self._listening(), now)

    def _is_cut_off(self, host: str) -> bool:
        """It is connected and has told its ports, and an uplink is not among them."""
        view = View(self.compiler.store, host)
        return bool(self.compiler.store.elements(Key("interfaces of host", host))) and any(
            uplink_number(view, host, physical_network) is None for physical_network in view.uplinks_of(host))

    def _listening(self) -> set[str]:
        """The external networks on which a router's exit is connected."""
        routers = (self.compiler.store.fact(Key("router", router_id))
                   for router_id, host in self.compiler.store.elements(Key("exits", "")) if host in self._sessions)
        return {router.gateway.network_id for router in routers
                if isinstance(router, Router) and router.gateway is not None}

    def forget_absent(self) -> None:
        """After a start: a hypervisor that has not come back within GRACE is not alive, whatever the database says."""
        runtime.sleep(GRACE)
        for host in self.compiler.store.elements(Key("hypervisors", "")):
            self._book_loss(host)

    def shed_idle(self, interval: float) -> None:
        """Let hypervisors forget, in wide networks, the ports that nothing is sent to, every `interval` seconds."""
        while True:
            runtime.sleep(interval)
            for session in list(self._sessions.values()):
                session.shed()

    def announce(self) -> None:
        """Send what is announced to machines by the clock, to a second."""
        while True:
            runtime.sleep(1.0)
            now = time.monotonic()
            for session in list(self._sessions.values()):
                session.announce(now)

    def sessions(self) -> dict[str, Session]:
        """The loops of the connected switches, by hypervisor."""
        return dict(self._sessions)

    def switches(self) -> list[Switch]:
        return [session.switch for session in self._sessions.values()]

    def _register(self, identity: Identity) -> None:
        """Raises PolicyNotAuthorized all the same: the switch is let in when the register has reached the model."""
        says = Description.parse(identity.description)
        try:
            self._database.transact(lambda session: hypervisors.register(
                session, says.name, f"{identity.datapath_id:x}", says.vtep or "", None))
        except errors.NaasError as error:
            raise errors.PolicyNotAuthorized(f"Datapath {identity.datapath_id:016x} at {identity.address} says it is "
                                             f"{identity.description!r}: {error}") from error
        raise errors.PolicyNotAuthorized(f"Datapath {identity.datapath_id:016x} has been registered as hypervisor "
                                         f"{says.name}; it is admitted when it connects again.")

    def _readmit(self, host: str, fact: Fact | None) -> None:
        """The register changed: who is connected under it must ask again."""
        session = self._sessions.get(host)
        if session is not None and fact != session.registered:
            session.switch.close("the register of hypervisors has changed")

    def _session(self, switch: Switch) -> Session | None:
        session = self._sessions.get(switch.host)
        return session if session is not None and session.switch is switch else None

    def _adopt(self, links: dict[Key, Link | None]) -> None:
        self.apply(links.items())

    def _book_loss(self, host: str) -> None:
        def report(session: Transaction) -> None:
            if host not in self._sessions:
                status.set_alive(session, host, False)
                # Who is not there refuses nothing; one that comes back says it again.
                status.replace_errors(session, host, {})

        self._reports.put(report, lambda: self._book_loss(host))

    def _tell_faults(self) -> None:
        """Show on the objects concerned which scopes do not compile, and which do again."""
        before, now = self._told, dict(self.compiler.faults)
        if now == before:
            return
        self._told = now
        named = {subject(scope): now.get(scope) for scope in before.keys() | now.keys()
                 if before.get(scope) != now.get(scope)}

        def report(session: Transaction) -> None:
            for about, reason in named.items():
                if about is not None:
                    status.report_error(session, *about, "compiler", reason)

        def again() -> None:
            self._told = before
            self._tell_faults()

        self._reports.put(report, again)
