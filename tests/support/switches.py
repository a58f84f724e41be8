"""A switch of the engine's contract that keeps what it is sent, and does not speak OpenFlow."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from naas_sdn.engine.contract import Dump, FlowCount, Punt
from naas_sdn.pipeline.program import Delta, Meter


class Kept(Protocol):
    """What a switch holds."""

    meters: dict[int, Meter]

    def push(self, delta: Delta) -> None: ...

    def dump(self) -> Dump: ...


class ToldSwitch:
    """`pushed` has its name once for each push, `sent` the ports and frames that were sent out."""

    def __init__(self, host: str, table: Kept, pushed: list[str], links: Mapping[str, int]) -> None:
        self.host = host
        self.pushed = pushed
        self.sent: list[tuple[tuple[int, ...], bytes]] = []
        self._table = table
        self._links = dict(links)

    def read_links(self) -> dict[str, int]:
        return self._links

    def dump(self) -> Dump:
        return self._table.dump()

    def counts(self, tables: Collection[int]) -> list[FlowCount]:
        return []

    def table_counts(self) -> dict[int, int]:
        return {}

    def meters(self) -> dict[int, Meter]:
        return dict(self._table.meters)

    def meter_drops(self) -> dict[int, tuple[int, int]]:
        return {}

    def port_drops(self) -> dict[int, tuple[int, int]]:
        return {}

    def push(self, delta: Delta) -> None:
        self.pushed.append(self.host)
        self._table.push(delta)

    def send(self, ports: Sequence[int], frame: bytes) -> None:
        self.sent.append((tuple(ports), frame))

    def resume(self, port: int, table: int, punt: Punt) -> None:
        raise AssertionError("nothing is punted here")

    def close(self, reason: str) -> None:
        raise AssertionError(reason)
