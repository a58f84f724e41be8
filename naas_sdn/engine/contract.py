"""The seam between the engine and the switches: what each may ask of the other."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from naas_sdn.errors import NaasError
from naas_sdn.pipeline.program import Delta, FlowMod, Meter, Name


class Refused(NaasError):
    """The switch would not take these flows or meters; nothing of the bundle was applied.

    No flows: it would not say which; `reason` is what it did say.
    """

    def __init__(self, flows: tuple[tuple[FlowMod | Meter, str], ...], reason: str = "") -> None:
        super().__init__("; ".join(f"{flow}: {reason}" for flow, reason in flows) or reason)
        self.flows = flows


class Disconnected(NaasError):
    """The switch is gone, or was closed for not answering."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a switch says it is; `certificate` is the common name that its TLS certificate proves."""

    datapath_id: int
    description: str
    certificate: str | None
    address: str


@dataclass(frozen=True, slots=True)
class FlowCount:
    """What a flow has counted, in packets and octets."""

    table: int
    cookie: int
    packets: int
    octets: int


@dataclass(slots=True)
class Dump:
    """Every flow of a switch by (table, cookie), with the fingerprint of what it is.

    `doubled` are names that several flows have; `seconds` is the CPU time that reading took.
    """

    flows: dict[Name, int] = field(default_factory=dict)
    doubled: set[Name] = field(default_factory=set)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Punt:
    """A packet-in: the fields it carried by name (reg0, metadata, ...), and the frame, which may be cut short."""

    fields: Mapping[str, int]
    data: bytes
    complete: bool


class Switch(Protocol):
    """One connected and admitted hypervisor. Every method may raise Disconnected or TimeoutError."""

    @property
    def host(self) -> str: ...

    def read_links(self) -> dict[str, int]:
        """OpenFlow port by interface name, as the switch itself tells when asked."""

    def dump(self) -> Dump:
        """Every flow; others may run meanwhile."""

    def counts(self, tables: Collection[int]) -> list[FlowCount]:
        """The flows of these tables."""

    def table_counts(self) -> dict[int, int]:
        """How many flows each table has, if any."""

    def meters(self) -> dict[int, Meter]:
        """By number, the virtual ones included."""

    def meter_drops(self) -> dict[int, tuple[int, int]]:
        """By number, the packets and octets that a meter has dropped."""

    def port_drops(self) -> dict[int, tuple[int, int]]:
        """By number, the packets of a port that the switch lost on receiving and on sending."""

    def push(self, delta: Delta) -> None:
        """Apply all of `delta` and return when the switch has said so. Raises Refused."""

    def send(self, ports: Sequence[int], frame: bytes) -> None:
        """Send a frame out of each of these ports; lost, and counted, when the switch does not keep up."""

    def resume(self, port: int, table: int, punt: Punt) -> None:
        """Put a punted packet back into `table`, as if it had just come by `port`; lost likewise."""

    def close(self, reason: str) -> None: ...


class Fleet(Protocol):
    """What switches tell. Nothing here blocks."""

    def admit(self, identity: Identity) -> str:
        """The hypervisor's name, or raise a NaasError that says why not."""

    def connected(self, switch: Switch, links: dict[str, int]) -> None:
        """`links`: OpenFlow port by interface name."""

    def links(self, switch: Switch, links: dict[str, int]) -> None:
        """All of them again, after any change."""

    def disconnected(self, switch: Switch) -> None: ...

    def packet_in(self, switch: Switch, punt: Punt) -> None: ...

    def changed_behind(self, switch: Switch, flows: Collection[Name]) -> None:
        """Somebody else added, changed or deleted these flows, by table and cookie."""
