"""Tags: a resource whose objects have them is wrapped, so that each knows nothing of them itself."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from naas_sdn.db import tags as kept
from naas_sdn.errors import BadRequest, RevisionNumberConstraintFailed, TagNotFound
from naas_sdn.service.access import require
from naas_sdn.service.contract import Action, Attributes, Context, Query, Resource
from naas_sdn.service.rows import touch

MOST = 50


@dataclass(frozen=True, slots=True)
class Tagged:
    """`resource`, its objects shown with their tags, and the operations on these. `row_class` is its table's;
    `member` as policy rules call one.

    Lists are filtered by tags where all filters become SQL (service/rows.py).
    """

    resource: Resource
    row_class: Any
    member: str

    @property
    def actions(self) -> Mapping[str, Action]:
        return {name: _showing(action) for name, action in self.resource.actions.items()}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        """With the `tags` among the attributes; that a new object has no others need not be asked."""
        tags = sorted(attributes.get("tags", ()))
        _require_few(tags)
        made = self.resource.create(session, context, attributes, parent)
        if tags:
            kept.add(session, made["id"], tags)
        return {**made, "tags": tags}

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        return _shown(session, [self.resource.update(session, context, identifier, attributes, parent)])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        self.resource.delete(session, context, identifier, parent)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _shown(session, [self.resource.get(session, context, identifier, parent)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return _shown(session, self.resource.find(session, context, query, parent))

    def tags(self, session: Session, context: Context, identifier: str) -> list[str]:
        """Raises the resource's NotFound."""
        found: list[str] = self.get(session, context, identifier, {})["tags"]
        return found

    def require(self, session: Session, context: Context, identifier: str, tag: str) -> None:
        """Raises TagNotFound when the object lacks it."""
        if tag not in self.tags(session, context, identifier):
            raise TagNotFound(tag)

    def replace(self, session: Session, context: Context, identifier: str, tags: Iterable[str],
                revision: int | None) -> list[str]:
        """The object has these tags and no others. With `revision`: if that is what it is at."""
        return self._set(session, context, identifier, set(tags), revision, "update", whole=True)

    def add(self, session: Session, context: Context, identifier: str, tags: Iterable[str],
            revision: int | None) -> list[str]:
        """The object has these tags too. Returns all that it has."""
        return self._set(session, context, identifier, set(tags), revision, "create", whole=False)

    def remove(self, session: Session, context: Context, identifier: str, tag: str, revision: int | None) -> None:
        """Raises TagNotFound."""
        item = self._owned(session, context, identifier, revision, "delete")
        if tag not in item["tags"]:
            raise TagNotFound(tag)
        kept.remove(session, item["id"], [tag])
        self._touch(session, item["id"])

    def _set(self, session: Session, context: Context, identifier: str, wanted: set[str],  # noqa: PLR0917
             revision: int | None, verb: str, *, whole: bool) -> list[str]:
        item = self._owned(session, context, identifier, revision, verb)
        before = set(item["tags"])
        after = wanted if whole else before | wanted
        _require_few(after)
        if after - before:
            kept.add(session, item["id"], after - before)
        if before - after:
            kept.remove(session, item["id"], before - after)
        if after != before:
            self._touch(session, item["id"])
        return sorted(after)

    def _owned(self, session: Session, context: Context, identifier: str,
               revision: int | None, verb: str) -> Attributes:
        item = self.get(session, context, identifier, {})
        require(context, f"{verb}_{self.member}:tags", item)
        if revision not in (None, item["revision_number"]):
            raise RevisionNumberConstraintFailed(f"Constrained to {revision}, but current revision is "
                                                 f"{item['revision_number']}.")
        return item

    def _touch(self, session: Session, identifier: str) -> None:
        """Tags are part of the object for who reads it; no flow depends on them, so nothing is journalled."""
        touch(session.get(self.row_class, identifier))


def _showing(action: Action) -> Action:
    """The action, the object in its answer shown with tags."""

    def acted(session: Session, context: Context, identifier: str,
              attributes: Attributes) -> Attributes | list[Attributes]:
        answer = action(session, context, identifier, attributes)
        items = answer.values() if isinstance(answer, dict) else ()
        _shown(session, [item for item in items if isinstance(item, dict) and "revision_number" in item])
        return answer

    return acted


def _shown(session: Session, items: list[Attributes]) -> list[Attributes]:
    """The items, with their tags: one statement for all."""
    if items:
        found = kept.tags_of(session, [item["id"] for item in items])
        for item in items:
            item["tags"] = found.get(item["id"], [])
    return items


def _require_few(tags: Iterable[str]) -> None:
    number = len(set(tags))
    if number > MOST:
        raise BadRequest(f"Invalid input for tags. Reason: an object has at most {MOST} tags, not {number}.")
