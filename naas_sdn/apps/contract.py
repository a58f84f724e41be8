"""The contract of an app, and the units that are compiled: Scopes, kept in Groups.

An app is pure: it sees a View and returns Flows. A Scope is compiled as a whole, every app that knows its kind adding
its flows; one that is the same everywhere has no `host` and is compiled once for all its subscribers. It lives in one
Group, and a Group is what hypervisors subscribe to.
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
    """`id` is a host's name, or the id of a network or router.

    | kind | subscribers |
    |---|---|
    | fabric | all |
    | host | itself |
    | network | who hosts the network |
    | router | who hosts a network that the router has an interface on |
    | ports | who hosts the network or routes to it; where that is wide, only some of its ports |
    | rules | who hosts a port of the security group |
    | remote | who hosts a port of a security group with a rule about this security or address group |
    | members | who hosts the network, or one that has a NaaS route to it; or, for a router, its own subscribers |
    """

    kind: str
    id: str = ""


class Scope(NamedTuple):
    """What is compiled at once; `host` when the result depends on the hypervisor it is for.

    One that is `remote` tells of port `id` to others: where its network is wide, only those who ask for it.
    """

    kind: str
    id: str = ""
    host: str | None = None
    remote: bool = False


@dataclass(frozen=True, slots=True)
class PacketIn:
    """A packet that PUNT sent up: whole frame, the port it came from, and why. `network_key`: NET, when it did."""

    host: str
    port_id: str
    reason: Reason
    data: bytes
    network_key: int = 0


class App(Protocol):
    """One concern of the data plane."""

    name: str
    tables: frozenset[Table]
    """The tables that only this app writes."""
    reasons: frozenset[Reason]
    """The punts that this app answers."""

    kinds: frozenset[str]
    """The kinds of scope that this app has flows for."""

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        """The scopes that exist because of this fact. A scope may be placed by several facts and apps."""

    def compile(self, view: View, scope: Scope) -> Program:
        """This app's flows and meters of the scope; all that it needs to know is read from `view`."""

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        """The frames to send back to the port that asked. Raises nothing for any bytes."""
