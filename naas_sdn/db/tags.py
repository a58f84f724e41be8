"""Tags in the database: kept by the id of what has them, whatever that is."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, event, insert, not_, select
from sqlalchemy import func as sql
from sqlalchemy.orm import InstrumentedAttribute, Mapper, Session, UOWTransaction, object_session

from naas_sdn.db.rows import Owned, TagRow, VifRow
from naas_sdn.db.security_group_rows import SecurityGroupRuleRow

_TAGS = select(TagRow.object_id, TagRow.tag).where(TagRow.object_id.in_(bindparam("ids", expanding=True)))
_ENDED = f"{__name__}.ended"


def tags_of(session: Session, ids: Iterable[str]) -> dict[str, list[str]]:
    """{object id: tags in order} of those that have any."""
    found: dict[str, list[str]] = {}
    for object_id, tag in session.execute(_TAGS, {"ids": list(ids)}):
        found.setdefault(object_id, []).append(tag)
    # Sorted here: databases differ in what comes first.
    return {object_id: sorted(tags) for object_id, tags in found.items()}


def add(session: Session, object_id: str, tags: Iterable[str]) -> None:
    """Tags that the object has not yet, at least one."""
    session.execute(insert(TagRow), [{"object_id": object_id, "tag": tag} for tag in tags])


def remove(session: Session, object_id: str, tags: Iterable[str]) -> None:
    session.execute(delete(TagRow).where(TagRow.object_id == object_id, TagRow.tag.in_(list(tags))))


def conditions(identifier: InstrumentedAttribute[str],
               filters: Mapping[str, tuple[Any, ...]]) -> list[ColumnElement[bool]]:
    """Neutron's four filters, for objects of this id.

    Each is asked of an object that is a candidate already: what it costs does not grow with others' tags.
    """
    clauses = []
    for name, clause in (("tags", _all), ("tags-any", _any)):
        if name in filters:
            clauses.append(clause(identifier, filters[name]))
        if f"not-{name}" in filters:
            clauses.append(not_(clause(identifier, filters[f"not-{name}"])))
    return clauses


def _all(identifier: InstrumentedAttribute[str], tags: Sequence[str]) -> ColumnElement[bool]:
    """By counting, for a clause for each tag would nest too deep for SQLite."""
    distinct = set(tags)
    held = select(sql.count()).where(TagRow.object_id == identifier, TagRow.tag.in_(distinct)).scalar_subquery()
    return held == len(distinct)


def _any(identifier: InstrumentedAttribute[str], tags: Sequence[str]) -> ColumnElement[bool]:
    return select(TagRow.tag).where(TagRow.object_id == identifier, TagRow.tag.in_(set(tags))).exists()


@event.listens_for(Owned, "after_delete", propagate=True)
@event.listens_for(VifRow, "after_delete")
@event.listens_for(SecurityGroupRuleRow, "after_delete")
def _ended(_mapper: Mapper[Any], _connection: Connection, row: Owned | VifRow | SecurityGroupRuleRow) -> None:
    session = object_session(row)
    if session is not None:
        session.info.setdefault(_ENDED, []).append(row.id)


@event.listens_for(Session, "after_flush")
def _forget(session: Session, _: UOWTransaction) -> None:
    """Tags end with their object; those of all that a flush deletes in one statement."""
    ended = session.info.pop(_ENDED, None)
    if ended:
        session.connection().execute(delete(TagRow).where(TagRow.object_id.in_(ended)))
