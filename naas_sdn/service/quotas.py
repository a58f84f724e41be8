"""Quotas as a resource: the limits of projects, read by their members and set by operators."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.quota_rows import QuotaRow
from naas_sdn.errors import HTTPBadRequest, HTTPMethodNotAllowed, TenantQuotaNotFound
from naas_sdn.service.access import require
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import used_by


@dataclass(frozen=True, slots=True)
class Quotas:
    """`usual` as in Limits. A quota's identifier is its project's."""

    usual: Mapping[str, int]

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"default": self.default, "details": self.details}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPMethodNotAllowed("A project has its quota already: change it by PUT.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require(context, "update_quota", _target(identifier))
        wanted = {resource: attributes[resource] for resource in self.usual if resource in attributes}
        if attributes.get("check_limit") and not attributes.get("force"):
            used = used_by(session, identifier)
            low = sorted(resource for resource, limit in wanted.items() if 0 <= limit < used[resource])
            if low:
                raise HTTPBadRequest("Quota limits are below what is used: " + ", ".join(
                    f"{resource} {wanted[resource]}, used {used[resource]}" for resource in low)
                    + "; give force=true to set them all the same.")
        rows = {row.resource: row for row in self._rows(session, [identifier])}
        for resource, limit in wanted.items():
            if resource in rows:
                rows[resource].hard_limit = limit
            else:
                session.add(QuotaRow(project_id=identifier, resource=resource, hard_limit=limit))
        session.flush()
        return self._limits(session, identifier)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        """Back to the defaults."""
        require(context, "delete_quota", _target(identifier))
        rows = self._rows(session, [identifier])
        if not rows:
            raise TenantQuotaNotFound(identifier)
        for row in rows:
            session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        require(context, "get_quota", _target(identifier))
        return self._limits(session, identifier)

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        """Of the projects that have limits of their own, in order."""
        require(context, "get_quotas")
        having = select(QuotaRow.project_id).distinct()
        for name in ("project_id", "tenant_id"):
            if name in query.filters:
                having = having.where(QuotaRow.project_id.in_(query.filters[name]))
        if query.marker is not None:
            place = QuotaRow.project_id < query.marker if query.reverse else QuotaRow.project_id > query.marker
            having = having.where(place)
        order = QuotaRow.project_id
        projects = sorted(session.scalars(
            having.order_by(order.desc() if query.reverse else order).limit(query.limit)))
        own: dict[str, dict[str, int]] = {project: {} for project in projects}
        for row in self._rows(session, projects):
            own[row.project_id][row.resource] = row.hard_limit
        return [{**self.usual, **own[project], "project_id": project, "tenant_id": project} for project in projects]

    def default(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        require(context, "get_quota", _target(identifier))
        return {"quota": dict(self.usual)}

    def details(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        require(context, "get_quota", _target(identifier))
        used = used_by(session, identifier)
        return {"quota": {resource: {"limit": limit, "used": used[resource], "reserved": 0}
                          for resource, limit in self._limits(session, identifier).items()}}

    def _limits(self, session: Session, project_id: str) -> Attributes:
        own = {row.resource: row.hard_limit for row in self._rows(session, [project_id])}
        return {resource: own.get(resource, limit) for resource, limit in self.usual.items()}

    @staticmethod
    def _rows(session: Session, projects: Iterable[str]) -> list[QuotaRow]:
        return list(session.scalars(select(QuotaRow).where(QuotaRow.project_id.in_(list(projects)))))


def _target(project_id: str) -> Attributes:
    return {"project_id": project_id, "tenant_id": project_id}
