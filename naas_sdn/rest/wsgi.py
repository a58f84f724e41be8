"""The WSGI application: URLs to controllers, tokens to contexts, bodies to JSON, and everything back."""
from __future__ import annotations

import json
import logging
import math
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oslo_config import cfg
from webob import Request, Response
from webob.request import DisconnectionError

from naas_sdn.db.session import Database
from naas_sdn.errors import ExtensionNotFound, HTTPBadRequest, NaasError, PolicyNotAuthorized
from naas_sdn.plugins.contract import Plugins
from naas_sdn.rest import changes, faults, health, pages
from naas_sdn.rest.auth import Authenticate, authenticator
from naas_sdn.rest.controller import Controller
from naas_sdn.rest.extensions import extensions
from naas_sdn.rest.resources import COLLECTIONS, Collection
from naas_sdn.rest.tags import TagController
from naas_sdn.service.contract import Context, Resource
from naas_sdn.service.policy_file import PolicyFiles
from naas_sdn.service.tags import Tagged

LOG = logging.getLogger(__name__)

DEEPEST = 32
"""Levels of JSON that a body may nest."""

REVISION = re.compile(r'"?(?:revision_number=)?([0-9]{1,18})"?')


Routes = Mapping[str, Sequence[tuple[list[str], Controller]]]
"""By the first part of a path: the parts of longer ones first, where {} is an id."""


@dataclass(frozen=True, slots=True)
class _Api:
    database: Database
    authenticate: Authenticate
    routes: Routes
    tags: Mapping[str, TagController]
    plugins: Plugins
    extensions: tuple[dict[str, Any], ...]
    max_body: int
    policy: PolicyFiles

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        request_id = f"req-{uuid.uuid4()}"
        attempt = changes.Attempt(request.method)
        try:
            response = self._answer(request, request_id, attempt)
        except Exception as error:
            response = faults.translate(error, request_id, request.host_url)
        changes.book(attempt, request_id, response.status_int)
        response.headers["x-openstack-request-id"] = request_id
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _answer(self, request: Request, request_id: str, attempt: changes.Attempt) -> Response:
        try:
            path = request.path_info
        except UnicodeDecodeError as error:
            raise HTTPBadRequest("The path is not UTF-8.") from error
        if "\0" in path:
            # No identifier has one, and PostgreSQL's driver raises ValueError for it.
            raise HTTPBadRequest("The path has a NUL.")
        if path in ("", "/"):
            return _only(request, "GET") or faults.respond(200, _versions(request))
        if path.rstrip("/") == "/healthcheck":
            return _only(request, "GET") or faults.respond(200, {"detailed": False, "reasons": ["OK"]})
        if path == "/openapi.json":
            return _only(request, "GET") or pages.description()
        if path == "/docs":
            return _only(request, "GET") or pages.browsable()
        if path == "/healthz":
            return _only(request, "GET") or health.alive()
        if path == "/readyz":
            return _only(request, "GET") or health.ready(self.database)
        parts = path.strip("/").removesuffix(".json").split("/")
        if parts[0] != "v2.0":
            return faults.http(404, "HTTPNotFound", f"There is nothing at {path}; the API is at /v2.0/.")
        if not _accepts_json(request):
            return faults.http(406, "HTTPNotAcceptable", "Answers are application/json only.")
        attempt.context = context = replace(self.authenticate(request), request_id=request_id,
                                            rules=self.policy.rules())
        if not context.is_somebody:
            raise PolicyNotAuthorized(f"The request is disallowed by policy: none of the roles "
                                      f"({', '.join(sorted(context.roles)) or 'none'}) is one of "
                                      f"{', '.join(sorted(context.rules.roles))}.")
        rest = parts[1:]
        attempt.resource = "/".join(rest)
        if not rest:
            return _only(request, "GET") or faults.respond(200, _resources(request))
        if rest[0] == "extensions":
            return _only(request, "GET") or self._extensions(rest[1:])
        if rest in (["quotas", "tenant"], ["quotas", "project"]):
            # Whose quota /quotas/{id} would be the caller's.
            return _only(request, "GET") or faults.respond(
                200, {rest[1]: {f"{rest[1]}_id": context.project_id}})
        found = self._route(rest)
        if found is None:
            return faults.http(404, "HTTPNotFound", f"There is no collection at {path}.")
        controller, parent, rest = found
        attempt.resource = controller.collection.path
        attempt.ids = [*parent.values(), *rest[:1]]
        attempt.action = rest[1] if len(rest) > 1 else None
        response = self._dispatch(request, context, controller, parent, rest)
        if response.status_int == 201 and request.method == "POST":
            attempt.ids = [*parent.values(), *controller.made(response.json_body)]
        return response

    def _extensions(self, rest: list[str]) -> Response:
        if not rest:
            return faults.respond(200, {"extensions": list(self.extensions)})
        for extension in self.extensions:
            if rest == [extension["alias"]]:
                return faults.respond(200, {"extension": extension})
        raise ExtensionNotFound("/".join(rest))

    def _route(self, rest: list[str]) -> tuple[Controller, dict[str, str], list[str]] | None:
        """The controller, the ids in the URL before it, and what comes after it; the longest path wins."""
        if rest[0] == "policies":
            rest = ["qos", *rest]
        for pattern, controller in self.routes.get(rest[0].replace("-", "_"), ()):
            if len(rest) >= len(pattern) and all(want in ("{}", have.replace("-", "_"))
                                                 for want, have in zip(pattern, rest, strict=False)):
                ids = [have for want, have in zip(pattern, rest, strict=False) if want == "{}"]
                return controller, {controller.collection.parent: ids[0]} if ids else {}, rest[len(pattern):]
        return None

    def _dispatch(self, request: Request, context: Context, controller: Controller, parent: Mapping[str, str],
                  rest: list[str]) -> Response:
        collection = controller.collection
        action = collection.actions.get(rest[1]) if len(rest) == 2 else None
        if not self.plugins.has_l3 and (collection.layer3 or (action is not None and action.layer3)):
            raise self.plugins.l3.missing()
        if len(rest) > 1 and rest[1] == "tags" and collection.path in self.tags:
            return self._tags(request, context, self.tags[collection.path], rest[0], "/".join(rest[2:]))
        items = _query(request)
        if not rest:
            if request.method == "GET":
                return faults.respond(200, controller.index(context, request.path_url, items, parent))
            if request.method == "POST" and "C" in collection.verbs:
                return faults.respond(201, controller.create(context, self._json(request), parent))
        elif len(rest) == 1:
            identifier = rest[0]
            if request.method == "GET":
                return faults.respond(200, controller.show(context, identifier, items, parent))
            if request.method == "PUT" and "U" in collection.verbs:
                body = self._json(request)
                return faults.respond(200, controller.update(context, identifier, body, _revision(request), parent))
            if request.method == "DELETE" and "D" in collection.verbs:
                if self._body(request):
                    raise HTTPBadRequest("A DELETE has no body.")
                controller.delete(context, identifier, _revision(request), parent)
                return faults.respond(204, None)
        elif action is not None:
            return self._act(request, context, controller, rest[0], rest[1], parent)
        else:
            return faults.http(404, "HTTPNotFound", f"There is nothing at {request.path}.")
        return _not_allowed(request)

    def _tags(self, request: Request, context: Context, controller: TagController, identifier: str,
              tag: str) -> Response:
        if request.method == "DELETE" and self._body(request):
            raise HTTPBadRequest("A DELETE has no body.")
        revision = _revision(request)
        answer = (controller.one(context, request.method, identifier, tag, revision) if tag else
                  controller.all(context, request.method, identifier, lambda: self._json(request), revision))
        return _not_allowed(request) if answer is None else faults.respond(*answer)

    def _act(self, request: Request, context: Context, controller: Controller, identifier: str,  # noqa: PLR0917
             name: str, parent: Mapping[str, str]) -> Response:
        action = controller.collection.actions[name]
        if request.method != ("GET" if action.body is None else "PUT"):
            return _not_allowed(request)
        body = None if action.body is None else self._json(request, empty={})
        return faults.respond(200, controller.act(context, identifier, name, action, body, parent))

    def _body(self, request: Request) -> bytes:
        if request.content_length is not None and request.content_length > self.max_body:
            raise _TooLarge(f"The body has {request.content_length} bytes; at most {self.max_body} are read.")
        try:
            data: bytes = request.body_file.read(self.max_body + 1) if request.is_body_readable else b""
        except DisconnectionError as error:
            raise HTTPBadRequest("The body is shorter than its Content-Length.") from error
        if len(data) > self.max_body:
            raise _TooLarge(f"The body has more than {self.max_body} bytes.")
        return data

    def _json(self, request: Request, empty: Any = None) -> Any:
        data = self._body(request)
        if not data and empty is not None:
            return empty
        try:
            text = data.decode("utf-8")
            if _depth(text) > DEEPEST:
                raise HTTPBadRequest(f"The JSON nests deeper than {DEEPEST} levels.")
            return json.loads(text, parse_constant=_finite, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise HTTPBadRequest(f"The server could not comply with the request since it is either malformed or "
                                 f"otherwise incorrect: the body is not JSON ({error}).") from error


class _TooLarge(NaasError):
    status = 413
    type = "HTTPRequestEntityTooLarge"


def application(database: Database, resources: Mapping[str, Resource], plugins: Plugins,
                conf: cfg.ConfigOpts) -> Callable[..., Iterable[bytes]]:
    """The API on these resources (service/catalog.py). Raises ConfigurationError."""
    controllers = _routes(Controller(database, collection, resources[collection.path], conf.api.page_limit)
                          for collection in COLLECTIONS)
    tags = {path: TagController(database, resource) for path, resource in resources.items()
            if isinstance(resource, Tagged)}
    return _Api(database, authenticator(conf, database), controllers, tags, plugins,
                tuple(extensions(plugins.has_l3)), conf.api.max_body, PolicyFiles(conf))


def _routes(controllers: Iterable[Controller]) -> Routes:
    found: dict[str, list[tuple[list[str], Controller]]] = {}
    for controller in controllers:
        pattern = controller.collection.path.split("/")
        if controller.collection.parent:
            pattern.insert(-1, "{}")
        found.setdefault(pattern[0], []).append((pattern, controller))
    return {first: sorted(of, key=lambda route: -len(route[0])) for first, of in found.items()}


def _versions(request: Request) -> dict[str, Any]:
    link = {"rel": "self", "href": f"{_base(request)}/v2.0/"}
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}


def _resources(request: Request) -> dict[str, Any]:
    def described(collection: Collection) -> dict[str, Any]:
        href = f"{_base(request)}/v2.0/{collection.path}"
        return {"name": collection.member, "collection": collection.envelope, "links": [{"rel": "self", "href": href}]}

    return {"resources": [described(collection) for collection in COLLECTIONS if not collection.parent]}


def _base(request: Request) -> str:
    """Scheme and host as the client sees them, also behind a proxy that says so."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme).split(",")[0].strip()
    host = request.headers.get("X-Forwarded-Host", request.host).split(",")[0].strip()
    return f"{scheme}://{host}"


def _accepts_json(request: Request) -> bool:
    return not request.headers.get("Accept") or bool(request.accept.acceptable_offers(["application/json"]))


def _only(request: Request, method: str) -> Response | None:
    return None if request.method == method else _not_allowed(request)


def _not_allowed(request: Request) -> Response:
    return faults.http(405, "HTTPMethodNotAllowed", f"{request.method} is not allowed at {request.path}.")


def _query(request: Request) -> list[tuple[str, str]]:
    try:
        items = list(request.GET.items())
    except UnicodeDecodeError as error:
        raise HTTPBadRequest("The query string is not UTF-8.") from error
    if any("\0" in name + value for name, value in items):
        raise HTTPBadRequest("The query string has a NUL.")
    return items


def _revision(request: Request) -> int | None:
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    found = REVISION.fullmatch(text.strip())
    if found is None:
        raise HTTPBadRequest(f"If-Match {text!r} is not revision_number=N.")
    return int(found[1])


def _finite(text: str) -> float:
    """Raises ValueError for NaN and infinities, which JSON has not (RFC 8259 section 6)."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _depth(text: str) -> int:
    """How deep brackets nest, strings aside: json.loads would recurse as deep."""
    depth = deepest = 0
    for bracket in re.findall(r'[\[\]{}]', re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
