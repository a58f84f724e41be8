"""Statistics of ports as a resource that is only read: for those who see the port."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from naas_sdn.db.rows import PortRow
from naas_sdn.errors import PolicyNotAuthorized, PortNotFound
from naas_sdn.service import statistics
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.ports import SEEN, visible_port
from naas_sdn.service.rows import find_rows

_COLUMNS = {"port_id": PortRow.id}


@dataclass(frozen=True, slots=True)
class PortStatistics:
    """By port, whose id is theirs."""

    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("create_statistic is disallowed by policy: it is only read.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("update_statistic is disallowed by policy: it is only read.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        raise PolicyNotAuthorized("delete_statistic is disallowed by policy: it is only read.")

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        if not context.may("get_statistic"):
            raise PortNotFound(identifier)
        return _shown(session, [visible_port(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        if not context.may("get_statistic"):
            return []
        return _shown(session, find_rows(session, context, PortRow, query, PortNotFound, clause=SEEN,
                                         columns=_COLUMNS))


def _shown(session: Session, rows: Iterable[PortRow]) -> list[Attributes]:
    rows = list(rows)
    counted = statistics.by_port(session, [row.id for row in rows])
    return [{"port_id": row.id, "name": row.name, "network_id": row.network_id, "project_id": row.project_id,
             "tenant_id": row.project_id, **counted[row.id]} for row in rows]
