"""What one switch holds, told as Group versions, and what it takes to bring it in step.

Only `push` of a complete plan moves a version, so a plan that failed is simply made again. A scope whose program the
switch refused is `stuck`: its last good program stays, all others go on, until it compiles to something else.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from naas_sdn.apps.contract import Group, Scope
from naas_sdn.engine.compiler import FABRIC, Compiler
from naas_sdn.engine.groups import Change
from naas_sdn.pipeline.flow import Flow
from naas_sdn.pipeline.program import Delta, Meter, Program


@dataclass(frozen=True, slots=True)
class Plan:
    """A Delta, the Group versions it leads to, and the scope and programs behind each flow and meter in it."""

    delta: Delta
    versions: Mapping[Group, int]
    changes: tuple[Change, ...]

    def blame(self, culprits: Iterable[Flow | Meter]) -> list[Change]:
        """The changes that these flows and meters are of."""
        guilty = {c.cookie if isinstance(c, Flow) else c for c in culprits}
        return [
            change for change in self.changes if change.new is not None
            and (any(flow.cookie in guilty for flow in change.new.flows)
                 or any(meter in guilty for meter in change.new.meters))
        ]


class Replica:
    """The state of one switch, as far as it has acknowledged."""

    def __init__(self, compiler: Compiler, host: str) -> None:
        self.host = host
        self.synced = False
        self.stuck: dict[Scope, Change] = {}
        self._compiler = compiler
        self._versions: dict[Group, int] = {}

    def groups(self) -> Iterator[Group]:
        """What this switch subscribes to."""
        yield FABRIC
        yield Group("host", self.host)
        for network_id in self._compiler.interest(self.host):
            yield Group("network", network_id)

    def desired(self) -> tuple[dict[tuple[int, int], Flow], dict[int, Meter]]:
        """All flows by (table, cookie) and all meters by number that the switch should hold now."""
        flows: dict[tuple[int, int], Flow] = {}
        meters: dict[int, Meter] = {}
        for group in self.groups():
            for scope, program in self._compiler.groups[group].programs.items():
                stuck = self.stuck.get(scope)
                kept = stuck.old if stuck is not None and stuck.new == program else program
                if kept is not None:
                    flows.update(((flow.table, flow.cookie), flow) for flow in kept.flows)
                    meters.update((meter.number, meter) for meter in kept.meters)
        return flows, meters

    def plan_from_dump(self, have: Counter[tuple[int, int]], meters: Mapping[int, Meter],
                       drifted: Collection[tuple[int, int]] = ()) -> Plan:
        """Bring a switch in step that holds these flows, by (table, cookie), and these meters.

        A (table, cookie) that is there twice is removed first and, by the next plan, added again; one that has
        drifted is written over.
        """
        wanted, wanted_meters = self.desired()
        versions = {group: self._compiler.groups[group].version for group in self.groups()}
        doubled = {key for key, count in have.items() if count > 1}
        changes = tuple(change for group in self.groups()
                        for change in self._compiler.groups[group].everything())
        return Plan(
            Delta(
                add=tuple(flow for key, flow in wanted.items() if key not in have or key in drifted),
                remove=tuple(key for key in have if key not in wanted or key in doubled),
                meters=tuple(meter for number, meter in wanted_meters.items() if meters.get(number) != meter),
                drop_meters=tuple(number for number in meters if number not in wanted_meters),
            ),
            {} if doubled else versions, changes,
        )

    def plan(self) -> Plan | None:
        """What has changed since the last acknowledged plan; None when only a dump can tell."""
        subscribed = list(self.groups())
        changes: list[Change] = []
        for group in subscribed:
            programs = self._compiler.groups[group]
            known = self._versions.get(group)
            since = programs.everything() if known is None else programs.since(known)
            if since is None:
                return None
            changes.extend(since)
        for group in self._versions.keys() - set(subscribed):
            gone = self._left(group)
            if gone is None:
                return None
            changes.extend(gone)
        changes = [change for change in map(self._unstick, changes) if change is not None]
        return Plan(_delta(changes), {group: self._compiler.groups[group].version for group in subscribed},
                    tuple(changes))

    def acknowledge(self, plan: Plan) -> None:
        """The switch holds all of `plan`."""
        self._versions = dict(plan.versions)
        self.synced = bool(plan.versions)
        for change in plan.changes:
            stuck = self.stuck.get(change.scope)
            if stuck is not None and stuck.new != change.new:
                del self.stuck[change.scope]

    def quarantine(self, change: Change) -> None:
        """The switch refused `change.new`; it keeps `change.old`."""
        self.stuck[change.scope] = change

    def _left(self, group: Group) -> list[Change] | None:
        """The removal of what the switch holds of a Group that it no longer subscribes to."""
        programs = self._compiler.groups[group]
        since = programs.since(self._versions[group])
        if since is None:
            return None
        changed = {change.scope: change.old for change in since}
        held: dict[Scope, Program | None] = {**programs.programs, **changed}
        return [Change(scope, program, None) for scope, program in held.items() if program is not None]

    def _unstick(self, change: Change) -> Change | None:
        """The change as this switch must see it: from what it kept, not from what it refused."""
        stuck = self.stuck.get(change.scope)
        if stuck is None:
            return change
        return None if change.new == stuck.new else Change(change.scope, stuck.old, change.new)


def _delta(changes: Iterable[Change]) -> Delta:
    add: dict[tuple[int, int], Flow] = {}
    remove: set[tuple[int, int]] = set()
    meters: dict[int, Meter] = {}
    drop_meters: set[int] = set()
    for change in changes:
        old, new = change.old or Program(), change.new or Program()
        add.update(((flow.table, flow.cookie), flow) for flow in new.flows)
        remove.update((flow.table, flow.cookie) for flow in old.flows)
        meters.update((meter.number, meter) for meter in new.meters if meter not in old.meters)
        drop_meters.update(meter.number for meter in old.meters)
        drop_meters.difference_update(meter.number for meter in new.meters)
    return Delta(
        add=tuple(flow for key, flow in add.items() if key not in remove),
        remove=tuple(remove - add.keys()),
        meters=tuple(meters.values()),
        drop_meters=tuple(drop_meters - meters.keys()),
    )
