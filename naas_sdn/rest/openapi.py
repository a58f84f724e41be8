"""The API's description, OpenAPI 3.1: made of the data that serves it (rest/resources.py), so that they agree."""
from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from naas_sdn.rest.attributes import NO_DEFAULT, WORDS, Schema, accepts, boolean, record, shows
from naas_sdn.rest.examples import example
from naas_sdn.rest.resources import COLLECTIONS, TAGS, Action, Collection

Json = dict[str, Any]

ERRORS = {
    400: "What was sent cannot be used.",
    401: "The token or password is missing, unknown or has expired.",
    403: "The token's roles or project do not allow it.",
    404: "It is not there, or not for the caller.",
    406: "The client does not accept application/json.",
    409: "It is in use, or contradicts what is there.",
    412: "If-Match names another revision.",
    413: "The body is too large.",
    501: "No plugin serves it.",
    503: "The database is busy or cannot be used; try again.",
}
READING = (400, 401, 403, 404, 406, 501, 503)
WRITING = (400, 401, 403, 404, 406, 409, 413, 501, 503)

STRING: Schema = {"type": "string"}
ERROR: Schema = {
    "type": "object", "required": ["type", "message", "detail"], "additionalProperties": False, "properties": {
        "type": {"type": "string", "description": "What clients key on.", "examples": ["NetworkNotFound"]},
        "message": {"type": "string", "examples": ["Network 3d8f9c1e could not be found."]},
        "detail": {"type": "string", "examples": [""]}}}
LINK: Schema = {
    "type": "object", "required": ["rel", "href"], "additionalProperties": False,
    "properties": {"rel": STRING, "href": STRING}}
EXTENSION: Schema = {
    "type": "object", "required": ["alias", "name", "description", "updated", "links"], "additionalProperties": False,
    "properties": {"alias": {"type": "string", "examples": ["router"]}, "name": STRING, "description": STRING,
                   "updated": STRING, "links": {"type": "array", "items": STRING}}}

PAGES: tuple[tuple[str, Schema, str], ...] = (
    ("limit", {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, "Most objects of the page; 0: as many as go."),
    ("marker", STRING, "The id of the last object of the page before."),
    ("page_reverse", {"type": "string", "pattern": WORDS}, "The page before the marker instead."),
)


@cache
def text() -> bytes:
    """The document as it is served."""
    return json.dumps(document()).encode()


def document(collections: Iterable[Collection] = COLLECTIONS) -> Json:
    collections = tuple(collections)
    schemas = {name: schema for collection in collections for name, schema in _schemas(collection)}
    schemas |= {"Link": LINK, "Extension": EXTENSION, "Error": _object({"NeutronError": ERROR}),
                "NotImplemented": _object({"NotImplementedError": ERROR})}
    paths = _roots()
    for collection in collections:
        paths |= _paths(collection, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "naas-sdn", "version": version("naas-sdn"),
                 "description": "OpenStack Neutron's API v2.0, with VIFs, routes and statistics."},
        "security": [{"token": []}, {"password": []}],
        "tags": [{"name": name} for name in ("service", *(collection.path for collection in collections))],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                                "password": {"type": "http", "scheme": "basic"}},
            "headers": {"RequestId": {"description": "What logs know the request by.", "schema": STRING}},
            "responses": {str(status): _error(status, why) for status, why in ERRORS.items()},
            "schemas": schemas,
        },
    }


def title(member: str) -> str:
    """The name of a resource's schema: Network of network."""
    return "".join(part.capitalize() for part in member.split("_"))


def url(collection: Collection) -> str:
    """The template of the collection's path."""
    parts = collection.path.split("/")
    if collection.parent:
        parts.insert(-1, f"{{{collection.parent}}}")
    return "/v2.0/" + "/".join(parts)


def _schemas(collection: Collection) -> Iterator[tuple[str, Schema]]:
    """What is shown, what makes one, what changes one."""
    name = title(collection.member)
    attributes = collection.attributes
    yield name, {"type": "object", "additionalProperties": False,
                 "properties": {attribute.name: shows(attribute.type) for attribute in attributes}}
    for verb, flag in (("Create", "C"), ("Update", "U")):
        if flag not in collection.verbs:
            continue
        properties = {}
        for attribute in attributes:
            if flag in attribute:
                default = {} if flag == "U" or attribute.default is NO_DEFAULT else {"default": attribute.default}
                properties[attribute.name] = {**accepts(attribute.type), **default}
        if properties:
            required = [attribute.name for attribute in attributes if flag == "C" and "!" in attribute]
            yield name + verb, {"type": "object", "additionalProperties": False, "properties": properties,
                                "required": required}


def _paths(collection: Collection, schemas: Mapping[str, Schema]) -> Json:
    name, member, plural = title(collection.member), collection.member, collection.envelope
    above = [_in_path(collection.parent)] if collection.parent else []
    one: Schema = {"$ref": f"#/components/schemas/{name}"}
    known: Schema = one
    if collection.attribute("id") is not None:
        known = {"allOf": [one, {"type": "object", "required": ["id"]}]}
    link: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/Link"}}
    listed = _object({plural: {"type": "array", "items": one}, f"{plural}_links": link}, required=(plural,))

    def operation(verb: str, summary: str, responses: Json, **more: Any) -> Json:
        made = {"operationId": f"{verb}_{member}", "summary": summary, "tags": [collection.path],
                "responses": responses}
        return {**made, **more}

    def answers(schema: Schema, errors: Iterable[int], status: int = 200, shown: Any = None) -> Json:
        shown = example(schema, schemas) if shown is None else shown
        return {str(status): _response("Done.", _json(schema, shown)), **_errors(errors)}

    def body(schema: Schema, *, required: bool = True) -> Json:
        return {"required": required, "content": _json(schema, example(schema, schemas))}

    many: Json = {"parameters": above, "get": operation(
        "list", f"List {plural.replace('_', ' ')}", answers(listed, READING), parameters=_lists(collection))}
    single: Json = {"parameters": [*above, _in_path(f"{member}_id")], "get": operation(
        "show", f"Show one {_words(member)}", answers(
            _object({member: one}), WRITING if collection.rehearsal else READING), parameters=[_fields()])}
    if f"{name}Create" in schemas:
        new: Schema = {"$ref": f"#/components/schemas/{name}Create"}
        made: Schema = {"anyOf": [_object({member: known}), _object({plural: {"type": "array", "items": known}})]}
        several: Schema = {"type": "array", "items": new, "minItems": 1}
        wanted: Schema = {"anyOf": [_open({member: new}), _open({plural: several})]}
        many["post"] = operation("create", f"Make one {_words(member)}, or several: all or none",
                                 answers(made, WRITING, 201), requestBody=body(wanted))
    if f"{name}Update" in schemas:
        single["put"] = operation(
            "update", f"Change one {_words(member)}", answers(_object({member: known}), (*WRITING, 412)),
            parameters=[_if_match()], requestBody=body(_open({member: {"$ref": f"#/components/schemas/{name}Update"}})))
    if "D" in collection.verbs:
        single["delete"] = operation(
            "delete", f"Delete one {_words(member)}", {"204": _response("It is gone."), **_errors((*WRITING, 412))},
            parameters=[_if_match()])
    paths = {url(collection): many, f"{url(collection)}/{{{member}_id}}": single}
    for action, asked in collection.actions.items():
        paths[f"{url(collection)}/{{{member}_id}}/{action}"] = {
            "parameters": [*above, _in_path(f"{member}_id")],
            ("get" if asked.body is None else "put"): operation(
                action, f"{_words(action).capitalize()} of one {_words(member)}",
                answers(_answer(asked, _object({member: known})), READING if asked.body is None else WRITING),
                **_asked(collection, asked, body))}
    return paths | _tags(collection)


def _tags(collection: Collection) -> Json:
    """What rest/tags.py serves below each object that has tags."""
    if collection.attribute("tags") is None:
        return {}
    member = collection.member
    above = [_in_path(f"{member}_id")]
    shown = shows(record({"tags": TAGS}))
    body = {"required": True, "content": _json(shown, example(shown))}

    def operation(verb: str, summary: str, status: int, content: Json | None, errors: Iterable[int],
                  **more: Any) -> Json:
        return {"operationId": f"{verb}_of_{member}", "summary": summary, "tags": [collection.path],
                "responses": {str(status): _response("Done.", content), **_errors(errors)}, **more}

    def change(verb: str, summary: str, status: int, content: Json | None = None, **more: Any) -> Json:
        return operation(verb, summary, status, content, (*WRITING, 412), parameters=[_if_match()], **more)

    listed = _json(shown, example(shown))
    return {
        f"{url(collection)}/{{{member}_id}}/tags": {
            "parameters": above,
            "get": operation("tags", "The tags", 200, listed, READING),
            "put": change("replace_tags", "These tags and no others", 200, listed, requestBody=body),
            "post": change("add_tags", "These tags too", 200, listed, requestBody=body),
            "delete": change("remove_tags", "No tags", 204),
        },
        f"{url(collection)}/{{{member}_id}}/tags/{{tag}}": {
            "parameters": [*above, _in_path("tag")],
            "get": operation("tag", "Whether it has this tag: 204, or 404", 204, None, READING),
            "put": change("add_tag", "This tag too", 201, _json({"type": "null"}, None)),
            "delete": change("remove_tag", "Without this tag", 204),
        },
    }


def _answer(action: Action, resource: Schema) -> Schema:
    return resource if action.answer is None else shows(action.answer)


def _asked(collection: Collection, action: Action, body: Any) -> Json:
    """The body of an action; where the collection says so, also wrapped as the resource's own."""
    if action.body is None:
        return {}
    bare = accepts(action.body)
    schema = {"anyOf": [bare, _object({collection.member: bare})]} if collection.wrapped_actions else bare
    return {"requestBody": body(schema, required=bool(bare.get("required")))}


def _lists(collection: Collection) -> list[Json]:
    """The query parameters of a list."""
    words = {"type": "string", "pattern": WORDS}
    parameters = [_query(attribute.name, _repeated(words if attribute.type is boolean else STRING),
                         f"Only those with one of these values of {attribute.name}.")
                  for attribute in collection.attributes if "F" in attribute]
    sorts = [attribute.name for attribute in collection.attributes if "S" in attribute]
    parameters.append(_fields())
    if sorts:
        parameters.append(_query("sort_key", _repeated({"enum": sorts}), "Order by these, the first most."))
        parameters.append(_query("sort_dir", _repeated({"enum": ["asc", "desc"]}), "One for each sort_key, or none."))
    return [*parameters, *(_query(name, schema, text) for name, schema, text in PAGES)]


def _fields() -> Json:
    return _query("fields", _repeated(STRING), "Only these attributes.")


def _repeated(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _query(name: str, schema: Schema, text: str) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _if_match() -> Json:
    pattern = r'^("?(revision_number=)?[0-9]{1,18}"?|\*)$'
    return {"name": "If-Match", "in": "header", "description": "Only if this is the revision.",
            "schema": {"type": "string", "pattern": pattern, "examples": ["revision_number=1"]}}


def _object(properties: Mapping[str, Schema], required: Iterable[str] | None = None) -> Json:
    return {**_open(properties, required), "additionalProperties": False}


def _open(properties: Mapping[str, Schema], required: Iterable[str] | None = None) -> Json:
    """What else is in it does not matter."""
    return {"type": "object", "properties": dict(properties),
            "required": list(properties if required is None else required)}


def _json(schema: Schema, shown: Any) -> Json:
    return {"application/json": {"schema": schema, "example": shown}}


def _response(text: str, content: Json | None = None) -> Json:
    made: Json = {"description": text,
                  "headers": {"x-openstack-request-id": {"$ref": "#/components/headers/RequestId"}}}
    return made if content is None else {**made, "content": content}


def _errors(statuses: Iterable[int]) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _error(status: int, why: str) -> Json:
    name, wrapper = ("NotImplemented", "NotImplementedError") if status == 501 else ("Error", "NeutronError")
    shown = {wrapper: {"type": "string", "message": why, "detail": ""}}
    response = _response(why, _json({"$ref": f"#/components/schemas/{name}"}, shown))
    extra = {401: "WWW-Authenticate", 503: "Retry-After"}.get(status)
    if extra is not None:
        response["headers"][extra] = {"schema": STRING}
    return response


def _words(name: str) -> str:
    return name.replace("_", " ")


def _roots() -> Json:
    """What is not a collection."""
    def get(name: str, summary: str, content: Json, errors: Iterable[int] = (), parameters: Iterable[Json] = (),
            *, free: bool = False, unready: Json | None = None) -> Json:
        made: Json = {"operationId": name, "summary": summary, "tags": ["service"], "parameters": list(parameters),
                      "responses": {"200": _response("Done.", content), **_errors(errors)}}
        if unready is not None:
            made["responses"]["503"] = unready
        return {"get": {**made, "security": []} if free else made}

    def plain(schema: Schema) -> Json:
        return _json(schema, example(schema, {"Link": LINK, "Extension": EXTENSION}))

    links: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/Link"}}
    versions = _object({"versions": _repeated(_object({"id": STRING, "status": STRING, "links": links}))})
    resources = _object({"resources": _repeated(_object({"name": STRING, "collection": STRING, "links": links}))})
    extension: Schema = {"$ref": "#/components/schemas/Extension"}
    ready = _object({"ready": {"type": "boolean"}, "reasons": _repeated(STRING)})
    known = (400, 401, 403, 406, 503)
    return {
        "/": get("versions", "The versions of the API", plain(versions), free=True),
        "/openapi.json": get("openapi", "This document", plain({"type": "object"}), free=True),
        "/docs": get("docs", "This document, to read", {"text/html": {"schema": STRING}}, free=True),
        "/healthcheck": get("healthcheck", "Whether the API answers", plain(_object(
            {"detailed": {"type": "boolean"}, "reasons": _repeated(STRING)})), free=True),
        "/healthz": get("healthz", "Whether the process answers", plain(_object({"status": STRING})), free=True),
        "/readyz": get("readyz", "Whether the database and the controller's loop work", plain(ready), free=True,
                       unready=_response("Something does not, and why.", plain(ready))),
        "/v2.0/": get("resources", "The collections", plain(resources), known),
        "/v2.0/extensions": get("list_extensions", "The extensions that are there",
                                plain(_object({"extensions": _repeated(extension)})), known),
        "/v2.0/extensions/{alias}": get("show_extension", "One extension", plain(_object({"extension": extension})),
                                        (*known, 404), [_in_path("alias")]),
        **{f"/v2.0/quotas/{word}": get(f"quota_{word}", "Whose quotas the caller's are", plain(_object(
            {word: _object({f"{word}_id": STRING})})), known) for word in ("project", "tenant")},
    }
