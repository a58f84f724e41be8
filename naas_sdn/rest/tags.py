"""Tags on the wire: `/{collection}/{id}/tags` and one tag below it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from naas_sdn.db.session import Database
from naas_sdn.errors import HTTPBadRequest
from naas_sdn.rest.attributes import Invalid, record
from naas_sdn.rest.resources import TAG, TAGS
from naas_sdn.service.contract import Context
from naas_sdn.service.tags import Tagged

BODY = record({"tags": TAGS})


class TagController:
    """The operations on the tags of one collection's objects. Each returns status and body; None: not allowed."""

    def __init__(self, database: Database, resource: Tagged) -> None:
        self._database = database
        self._resource = resource

    def all(self, context: Context, method: str, identifier: str, body: Callable[[], Any],
            revision: int | None) -> tuple[int, Any] | None:
        """`body` reads the request's, for methods that have one."""
        if method == "GET":
            with self._database.read() as session:
                return 200, {"tags": self._resource.tags(session, context, identifier)}
        if method not in ("PUT", "POST", "DELETE"):
            return None
        wanted = [] if method == "DELETE" else _valid(BODY, body())["tags"]
        change = self._resource.add if method == "POST" else self._resource.replace
        tags = self._database.transact(lambda session: change(session, context, identifier, wanted, revision))
        return (204, None) if method == "DELETE" else (200, {"tags": tags})

    def one(self, context: Context, method: str, identifier: str, tag: str,
            revision: int | None) -> tuple[int, Any] | None:
        """GET tells by its status; PUT answers with JSON's null, and for a tag that is there just so."""
        if method not in ("GET", "PUT", "DELETE"):
            return None
        tag = _valid(TAG, tag)
        if method == "GET":
            with self._database.read() as session:
                self._resource.require(session, context, identifier, tag)
            return 204, None
        if method == "PUT":
            self._database.transact(lambda session: self._resource.add(session, context, identifier, [tag], revision))
            return 201, None
        self._database.transact(lambda session: self._resource.remove(session, context, identifier, tag, revision))
        return 204, None


def _valid(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except Invalid as error:
        raise HTTPBadRequest(f"Invalid input for tags. Reason: {error}.") from error
