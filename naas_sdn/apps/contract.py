"""The contract of an app, and the units it compiles: Scopes, kept in Groups.

An app is pure: it sees a View and returns Flows. A Group is what hypervisors subscribe to as a whole: the
fabric (all), a host (itself), a network (who hosts it or routes to it). A Scope lives in one Group; one that
is the same everywhere has no `host` and is compiled once for all its subscribers.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Fact
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import Reason, Table


class Group(NamedTuple):
    """`kind` is "fabric", "host" or "network"; `id` a host's name or a network's id."""

    kind: str
    id: str = ""


class Scope(NamedTuple):
    """What `app` compiles at once; `host` when the result depends on the hypervisor it is for.

    One that is `remote` tells of port `id` to others: where its network is wide, only those who ask for it.
    """

    app: str
    kind: str
    id: str = ""
    host: str | None = None
    remote: bool = False


@dataclass(frozen=True, slots=True)
class PacketIn:
    """A packet that PUNT sent up: whole frame, the port it came from, and why."""

    host: str
    port_id: str
    reason: Reason
    data: bytes


class App(Protocol):
    """One concern of the data plane."""

    name: str
    tables: frozenset[Table]
    """The tables that only this app writes."""
    reasons: frozenset[Reason]
    """The punts that this app answers."""

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        """The scopes that exist because of this fact. A scope may be placed by several facts."""

    def compile(self, view: View, scope: Scope) -> Program:
        """The scope's flows and meters; all that it needs to know is read from `view`."""

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        """The frames to send back to the port that asked. Raises nothing for any bytes."""
