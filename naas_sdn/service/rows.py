"""What every resource's operations share: visibility, standard attributes, and lists in SQL."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    union,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ExecutableOption

from naas_sdn.db import tags
from naas_sdn.db.rows import KeyRow, Owned, now
from naas_sdn.errors import NotFound
from naas_sdn.service.contract import Attributes, Context, Query
from naas_sdn.service.reading import readable

R = TypeVar("R", bound=Any)


def new_key(session: Session) -> int:
    """The next register key."""
    made = session.connection().execute(_NEXT_KEY).inserted_primary_key
    assert made is not None
    key: int = made[0]
    return key


_NEXT_KEY = insert(KeyRow)
"""Not by the session: a row of it has nothing but its number, and a flush costs more than the statement."""


def standard(row: Any) -> Attributes:
    """The attributes that all resources show."""
    return {
        "id": row.id, "project_id": row.project_id, "tenant_id": row.project_id,
        "name": row.name, "description": row.description, **times(row), "tags": [],
    }


def times(row: Any) -> Attributes:
    return {
        "created_at": row.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": row.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision_number": row.revision_number,
    }


def touch(row: Any) -> None:
    """The resource changed."""
    row.updated_at = now()
    row.revision_number += 1


def change(row: Any, attributes: Attributes, names: Iterable[str]) -> bool:
    """Set those of `names` that are in `attributes`; whether any was new."""
    different = {name: attributes[name] for name in names
                 if name in attributes and getattr(row, name) != attributes[name]}
    for name, value in different.items():
        setattr(row, name, value)
    if different:
        touch(row)
    return bool(different)


READER: BindParameter[str] = bindparam("reader")
"""In clauses of what somebody may see: his project."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What READER may see of a table when there are several reasons why.

    `row` asks it of a row that was found otherwise. `ids` find all that he sees, each reason by an index: one condition
    with OR has a database read everybody's rows, so lists take their union.
    """

    row: ColumnElement[bool]
    ids: tuple[Select[str], ...]

    def among(self, column: Any) -> ColumnElement[bool]:
        """That the column names one of them."""
        seen: ColumnElement[bool] = column.in_(union(*self.ids))
        return seen


def visible(session: Session, context: Context, row_class: type[R], identifier: str, missing: type[NotFound],  # noqa: PLR0917
            clause: ColumnElement[bool] | Sight | None, options: tuple[ExecutableOption, ...] = ()) -> R:
    """The row, if the caller may see it: by `clause`, with READER for his project. `options`: what to load with it.

    Raises `missing`, just as for one that is not there.
    """
    seen = None if context.sees_all else _of_row(clause)
    query = _by_id(row_class, seen, options)  # type: ignore[arg-type]  # mypy takes the rows' __hash__ for the class's
    found = session.scalars(query, {"identifier": identifier, "reader": context.project_id})
    row: R | None = found.unique().one_or_none()
    if row is None or not _reads(readable(session, context, row_class), row):
        raise missing(identifier)
    return row


def _reads(may: bool | Callable[[Any], bool], row: Any) -> bool:
    return may if isinstance(may, bool) else may(row)


@cache
def _by_id(row_class: Any, clause: ColumnElement[bool] | None, options: tuple[ExecutableOption, ...]) -> Select[Any]:
    """Made once: making a statement takes as long as executing it."""
    query = select(row_class).where(row_class.id == bindparam("identifier")).options(*options)
    return query if clause is None else query.where(clause)


def _of_row(clause: ColumnElement[bool] | Sight | None) -> ColumnElement[bool] | None:
    return clause.row if isinstance(clause, Sight) else clause


def own_clause(row_class: type[Owned]) -> ColumnElement[bool]:
    return row_class.project_id == READER


def find_rows(session: Session, context: Context, row_class: type[R], query: Query, missing: type[NotFound], *,
              clause: ColumnElement[bool] | Sight | None, columns: Mapping[str, Any] | None = None,
              conditions: Iterable[ColumnElement[bool]] = (), options: Iterable[Any] = ()) -> list[R]:
    """One page of what the caller may see, in order.

    `columns` adds attributes whose column has another name or table; `conditions` are filters that are no column.
    Raises `missing` for a marker that is not there for the caller.
    """
    may = readable(session, context, row_class)
    if may is False:
        return []

    def page(part: Query) -> list[R]:
        return _page(session, context, row_class, part, missing, clause, columns or {}, tuple(conditions),
                     tuple(options))

    rows = page(query) if may is True else list(_let_through(page, query, may))
    return rows[::-1] if query.reverse else rows


def _let_through(page: Callable[[Query], list[R]], query: Query, may: Callable[[R], bool]) -> Iterator[R]:
    """As many as were asked for, of as many pages as it takes."""
    if query.limit is None:
        yield from filter(may, page(query))
        return
    left, most = query.limit, max(query.limit, JUDGED)
    part = replace(query, limit=most)
    while left > 0:
        rows = page(part)
        found = [row for row in rows if may(row)][:left]
        yield from found
        if len(rows) < most:
            return
        left -= len(found)
        part = replace(part, marker=rows[-1].id)


JUDGED = 200
"""Rows at least that are read at once where each is asked about."""


def _page(session: Session, context: Context, row_class: type[R], query: Query, missing: type[NotFound],  # noqa: PLR0917
          clause: ColumnElement[bool] | Sight | None, columns: Mapping[str, Any],
          conditions: Iterable[ColumnElement[bool]], options: Iterable[Any]) -> list[R]:
    """In the order of walking."""
    column = {name: attribute.class_attribute for name, attribute in row_class.__mapper__.column_attrs.items()}
    if "project_id" in column:
        column["tenant_id"] = column["project_id"]
    column.update(columns)
    statement = select(row_class).options(*options).where(
        *conditions, *tags.conditions(row_class.id, query.filters))
    if clause is not None and not context.sees_all:
        statement = statement.where(clause.among(row_class.id) if isinstance(clause, Sight) else clause)
    for name, values in query.filters.items():
        if name in column:
            statement = statement.where(any_of(column[name], values))
    order = [(_ordered(column[name]), descending) for name, descending in query.sorts if name in column]
    order.append((row_class.id, False))
    if query.marker is not None:
        # Named, for the same key may be there twice.
        keys = (key.label(f"key{index}") for index, (key, _) in enumerate(order))
        place = select(*keys).select_from(row_class).where(row_class.id == query.marker)
        seen = None if context.sees_all else _of_row(clause)
        if seen is not None:
            place = place.where(seen)
        after = session.execute(place, {"reader": context.project_id}).one_or_none()
        if after is None:
            raise missing(query.marker)
        statement = statement.where(_beyond(order, tuple(after), query.reverse))
    statement = statement.order_by(*(key.desc() if descending != query.reverse else key for key, descending in order))
    if query.limit is not None:
        statement = statement.limit(query.limit)
    return list(session.scalars(statement, {"reader": context.project_id}))


def _ordered(column: Any) -> ColumnElement[Any]:
    """What sorts and compares as the column does, but is never NULL, which comes first, or a truth value."""
    if isinstance(column.type, Boolean):
        return cast(column, Integer)
    # A subquery is of a row that must be there, such as a VIF's port.
    known = isinstance(column, ScalarSelect) or not column.nullable
    return column if known else func.coalesce(column, -1 if isinstance(column.type, Integer) else "")


def any_of(column: Any, values: tuple[Any, ...]) -> ColumnElement[bool]:
    """A value of another type than the column's equals nothing; not every database would say so."""
    if isinstance(column.type, Boolean) and values in {(True,), (False,)}:
        # As a value to compare, what a condition says is no reason to look into an index.
        truth: ColumnElement[bool] = column if values[0] else ~column
        return truth
    clause: ColumnElement[bool] = column.in_([value for value in values if isinstance(value, column.type.python_type)])
    return or_(clause, column.is_(None)) if None in values else clause


def _beyond(order: list[tuple[Any, bool]], after: tuple[Any, ...], reverse: bool) -> ColumnElement[bool]:
    """What comes later in `order` than a row with these values (earlier, when `reverse`)."""
    alternatives = []
    for index, ((key, descending), value) in enumerate(zip(order, after, strict=True)):
        equal = [earlier == known for (earlier, _), known in zip(order[:index], after[:index], strict=True)]
        alternatives.append(and_(*equal, key < value if descending != reverse else key > value))
    return or_(*alternatives)
