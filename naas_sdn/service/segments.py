"""Segments: a network has one, its provider's, which comes and goes with it. For operators."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from naas_sdn.db.segment_queries import networks_with
from naas_sdn.db.segment_rows import SegmentRow
from naas_sdn.errors import SegmentNotFound
from naas_sdn.plugins.contract import Plugins
from naas_sdn.service.access import require_owner
from naas_sdn.service.contract import Attributes, Context, Query, Refusing
from naas_sdn.service.rows import change, find_rows, times, visible


@dataclass(frozen=True, slots=True)
class Segments(Refusing):
    plugins: Plugins

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        require_owner(context, row, "update_segment")
        change(row, attributes, ("name", "description"))
        session.flush()
        return self._show(session, [row])[0]

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(session, [self._visible(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        if not context.may("get_segment"):
            return []
        conditions: list[ColumnElement[bool]] = []
        on_wire = networks_with(query.filters)
        if on_wire is not None:
            conditions.append(SegmentRow.network_id.in_(on_wire))
        return self._show(session, find_rows(session, context, SegmentRow, query, SegmentNotFound, clause=None,
                                             conditions=conditions))

    @staticmethod
    def _visible(session: Session, context: Context, identifier: str) -> SegmentRow:
        if not context.may("get_segment"):
            raise SegmentNotFound(identifier)
        return visible(session, context, SegmentRow, identifier, SegmentNotFound, None)

    def _show(self, session: Session, rows: Iterable[SegmentRow]) -> list[Attributes]:
        rows = list(rows)
        wire = self.plugins.l2.extend(session, "network", [row.network_id for row in rows]) if rows else {}
        return [{
            "id": row.id, "network_id": row.network_id, "name": row.name, "description": row.description,
            **{name: wire.get(row.network_id, {}).get(f"provider:{name}")
               for name in ("network_type", "physical_network", "segmentation_id")}, **times(row),
        } for row in rows]
