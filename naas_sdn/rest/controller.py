"""One controller for every collection: shape in, service, shape out. One transaction a request.

A transaction that meets another is run again, so each run gets attributes of its own: the service may change them.
"""
from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from naas_sdn.db.session import Database, Session
from naas_sdn.errors import HTTPBadRequest, RevisionNumberConstraintFailed
from naas_sdn.rest import query
from naas_sdn.rest.attributes import NO_DEFAULT, Invalid, shown
from naas_sdn.rest.disclosure import disclosure
from naas_sdn.rest.resources import Action, Collection
from naas_sdn.service.contract import Attributes, Context, NeedsToWrite, Resource

Parent = Mapping[str, str]


class Controller:
    """The operations of one collection, on its resource in the service."""

    def __init__(self, database: Database, collection: Collection, resource: Resource, page_limit: int) -> None:
        self.collection = collection
        self._database = database
        self._resource = resource
        self._page_limit = page_limit

    def index(self, context: Context, url: str, items: list[tuple[str, str]], parent: Parent) -> dict[str, Any]:
        asked = query.parse(self.collection, items, self._page_limit)
        disclosed = disclosure(context, self.collection.member)
        wanted = disclosed.query(asked.query)
        try:
            with self._database.read() as session:
                found = self._resource.find(session, context, wanted, parent)
        except NeedsToWrite:
            found = self._database.transact(
                lambda session: self._resource.find(session, context, wanted, parent),
                request_id=context.request_id)
        content: dict[str, Any] = {self.collection.envelope: [
            query.select(disclosed.shown(item), asked.fields) for item in found]}
        links = query.links(url, items, asked, found, self.collection.key)
        if links:
            content[f"{self.collection.envelope}_links"] = links
        return content

    def show(self, context: Context, identifier: str, items: list[tuple[str, str]],
             parent: Parent) -> dict[str, Any]:
        """Unknown names in the query string are refused as in a list's; filters do nothing to one object."""
        asked = query.parse(self.collection, items, self._page_limit)
        if asked.fields and asked.fields == (self.collection.rehearsal,):
            with self._database.read() as session:
                return {self.collection.member: self._resource.actions[self.collection.rehearsal](
                    session, context, identifier, {**parent})}
        try:
            with self._database.read() as session:
                found = self._resource.get(session, context, identifier, parent)
        except NeedsToWrite:
            found = self._database.transact(
                lambda session: self._resource.get(session, context, identifier, parent),
                request_id=context.request_id)
        return {self.collection.member: query.select(self._shown(context, found), asked.fields)}

    def create(self, context: Context, body: Any, parent: Parent) -> dict[str, Any]:
        """One, or several at once, which are made all or none."""
        member, plural = self.collection.member, self.collection.envelope
        body = _object(body, member)
        if plural in body and member not in body:
            requested = body[plural]
            if not isinstance(requested, list) or not requested:
                raise HTTPBadRequest("Resources required")
            many = [self._for_create(context, item) for item in requested]
            made = self._database.transact(
                lambda session: [self._resource.create(session, context, deepcopy(item), parent) for item in many],
                request_id=context.request_id)
            return {plural: [self._shown(context, item) for item in made]}
        attributes = self._for_create(context, _wrapped(body, member))
        return {member: self._shown(context, self._database.transact(
            lambda session: self._resource.create(session, context, deepcopy(attributes), parent),
            request_id=context.request_id))}

    def made(self, content: dict[str, Any]) -> list[str]:
        """The ids in the answer of `create`."""
        many = content.get(self.collection.envelope) or [content[self.collection.member]]
        return [str(item["id"]) for item in many if "id" in item]

    def update(self, context: Context, identifier: str, body: Any, revision: int | None,
               parent: Parent) -> dict[str, Any]:
        body = _object(body, self.collection.member)
        if self.collection.envelope in body and self.collection.member not in body:
            raise HTTPBadRequest("Bulk operation not supported")
        attributes = self._for_update(_wrapped(body, self.collection.member))

        def work(session: Session) -> dict[str, Any]:
            self._match(session, context, identifier, revision, parent)
            return self._resource.update(session, context, identifier, deepcopy(attributes), parent)

        return {self.collection.member: self._shown(
            context, self._database.transact(work, request_id=context.request_id))}

    def delete(self, context: Context, identifier: str, revision: int | None, parent: Parent) -> None:
        def work(session: Session) -> None:
            self._match(session, context, identifier, revision, parent)
            self._resource.delete(session, context, identifier, parent)

        self._database.transact(work, request_id=context.request_id)

    def act(self, context: Context, identifier: str, name: str, action: Action, body: Any,  # noqa: PLR0917
            parent: Parent) -> dict[str, Any] | list[dict[str, Any]]:
        """The operation gets the ids in the URL with the body."""
        operation = self._resource.actions[name]
        disclosed = disclosure(context, self.collection.member)
        if action.body is None:
            with self._database.read() as session:
                return disclosed.answer(operation(session, context, identifier, {**parent}))
        body = _object(body, self.collection.member)
        if self.collection.wrapped_actions and set(body) == {self.collection.member}:
            body = body[self.collection.member]
        try:
            attributes = action.body(body)
        except Invalid as error:
            raise HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from error
        return disclosed.answer(self._database.transact(
            lambda session: operation(session, context, identifier, deepcopy({**attributes, **parent})),
            request_id=context.request_id))

    def _shown(self, context: Context, item: Attributes) -> Attributes:
        return disclosure(context, self.collection.member).shown(item)

    def _for_create(self, context: Context, given: Any) -> dict[str, Any]:
        given = self._known(given)
        converted: dict[str, Any] = {}
        for attribute in self.collection.attributes:
            name = attribute.name
            if name not in given:
                if "!" in attribute:
                    raise HTTPBadRequest(f"Failed to parse request. Required attribute '{name}' not specified")
                if attribute.default is not NO_DEFAULT:
                    converted[name] = attribute.default
            elif "C" not in attribute:
                raise HTTPBadRequest(f"Attribute '{name}' not allowed in POST")
            else:
                converted[name] = _converted(attribute.name, attribute.type, given[name])
        project = converted.pop("tenant_id", None)
        if project is not None and converted.setdefault("project_id", project) != project:
            raise HTTPBadRequest("'project_id' and 'tenant_id' do not match")
        if converted.setdefault("project_id", context.project_id) != context.project_id and not context.is_service:
            raise HTTPBadRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in "
                                 "request requires admin or service privileges")
        return converted

    def _for_update(self, given: Any) -> dict[str, Any]:
        converted = {}
        for name, value in self._known(given).items():
            attribute = self.collection.attribute(name)
            if attribute is None or "U" not in attribute:
                raise HTTPBadRequest(f"Cannot update read-only attribute {name}")
            converted[name] = _converted(name, attribute.type, value)
        return converted

    def _known(self, given: Any) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise HTTPBadRequest(f"Invalid input for {self.collection.member}. Reason: {shown(given)} is not a "
                                 f"dictionary.")
        unknown = sorted(str(name) for name in given if self.collection.attribute(name) is None)
        if unknown:
            raise HTTPBadRequest(f"Unrecognized attribute(s) '{shown(', '.join(unknown))[1:-1]}'")
        return given

    def _match(self, session: Session, context: Context, identifier: str, revision: int | None,
               parent: Parent) -> None:
        """If-Match: the change is for one revision only."""
        if revision is None:
            return
        now = self._resource.get(session, context, identifier, parent).get("revision_number")
        if now != revision:
            raise RevisionNumberConstraintFailed(f"Constrained to {revision}, but current revision is {now}.")


def _object(body: Any, member: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise HTTPBadRequest(f"Unable to find '{member}' in request body")
    return body


def _wrapped(body: dict[str, Any], member: str) -> Any:
    if member not in body:
        raise HTTPBadRequest(f"Unable to find '{member}' in request body")
    return body[member]


def _converted(name: str, convert: Any, value: Any) -> Any:
    try:
        return convert(value)
    except Invalid as error:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from error
