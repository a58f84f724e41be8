"""What a switch holds other than it should, as a value: to be repaired, counted, or just shown."""
from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from naas_sdn.apps.contract import Scope
from naas_sdn.pipeline.program import Delta, Name


class What(StrEnum):
    """Kinds of fault."""

    MISSING = "flow missing"
    CHANGED = "flow changed"
    FOREIGN = "foreign flow"
    DOUBLED = "flow doubled"
    METER = "meter changed"
    FOREIGN_METER = "foreign meter"


class Fault(NamedTuple):
    """One of them: a flow by table and cookie, or a meter by number (table None). `scope` is what should be there."""

    what: What
    table: int | None
    number: int
    scope: Scope | None = None

    @property
    def name(self) -> Name | None:
        """Of the flow, if it is one."""
        return None if self.table is None else (self.table, self.number)


@dataclass(frozen=True, slots=True)
class Difference:
    """Flows by name, meters by number, those that should be there with the scope that wants them."""

    missing: Mapping[Name, Scope]
    changed: Mapping[Name, Scope]
    foreign: tuple[Name, ...]
    doubled: frozenset[Name]
    meters: Mapping[int, Scope]
    """Not there, or other than they should be."""
    foreign_meters: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.foreign or self.doubled or self.meters or self.foreign_meters)

    def faults(self, pending: Delta | None = None) -> Iterator[Fault]:
        """All of it, but for what the controller itself was about to change."""
        coming: Container[Name] = {flow[:2] for flow in pending.add} if pending is not None else ()
        going: Container[Name] = set(pending.remove) if pending is not None else ()
        meters = {*(meter.number for meter in pending.meters), *pending.drop_meters} if pending is not None else ()
        for what, flows in ((What.MISSING, self.missing), (What.CHANGED, self.changed)):
            yield from (Fault(what, *name, scope) for name, scope in flows.items() if name not in coming)
        yield from (Fault(What.FOREIGN, *name) for name in self.foreign if name not in going)
        yield from (Fault(What.DOUBLED, *name) for name in self.doubled)
        yield from (Fault(What.METER, None, number, scope) for number, scope in self.meters.items()
                    if number not in meters)
        yield from (Fault(What.FOREIGN_METER, None, number) for number in self.foreign_meters if number not in meters)
