"""Availability zones: those of the hypervisors. Networks and routers are realised in all of them."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import AgentRow, HypervisorRow
from naas_sdn.errors import AvailabilityZoneNotFound
from naas_sdn.service.contract import Attributes, Context, Query, Refusing

_UP = func.max(cast(AgentRow.admin_state_up, Integer))
_ZONES = select(HypervisorRow.availability_zone, _UP).join(AgentRow, AgentRow.host == HypervisorRow.name).group_by(
    HypervisorRow.availability_zone).order_by(HypervisorRow.availability_zone)


def zones(session: Session) -> dict[str, bool]:
    """Of all agents, and whether an operator lets any of its agents work: {name: available}."""
    return {name: bool(up) for name, up in session.execute(_ZONES)}


def available(session: Session) -> list[str]:
    """The names of those that are."""
    return [name for name, up in zones(session).items() if up]


def require(session: Session, hints: Collection[str]) -> None:
    """Raises AvailabilityZoneNotFound for the first that is not there."""
    known = zones(session) if hints else {}
    for hint in hints:
        if hint not in known:
            raise AvailabilityZoneNotFound(hint)


@dataclass(frozen=True, slots=True)
class AvailabilityZones(Refusing):
    """Everybody may list them, by default. `resources`: of what kinds."""

    resources: tuple[str, ...]

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        raise AvailabilityZoneNotFound(identifier)

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        if not context.may("get_availability_zone"):
            return []
        found = [{"name": name, "resource": resource, "state": "available" if up else "unavailable"}
                 for name, up in zones(session).items() for resource in self.resources]
        wanted = [item for item in found if all(item[name] in values for name, values in query.filters.items())]
        return wanted[:query.limit]
