"""GET /openapi.json: valid, whole, and what the types themselves do; every answer in these tests fits it (wire.py)."""
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from webob import Request

from naas_sdn.rest.attributes import Described, Invalid, Type
from naas_sdn.rest.openapi import document, title, url
from naas_sdn.rest.resources import COLLECTIONS
from tests.api.described import DOCUMENT, misfits
from tests.api.wire import GONE, Wire

TYPES = {f"{collection.member}.{attribute.name}": attribute.type
         for collection in COLLECTIONS for attribute in collection.attributes}
TYPES |= {f"{collection.member}/{name}": action.body for collection in COLLECTIONS
          for name, action in collection.actions.items() if action.body is not None}
# Each once, under its first name.
TYPES = {name: of for of, name in {of: name for name, of in reversed(TYPES.items())}.items()}


def test_it_is_served_to_anybody_and_valid(wire: Wire) -> None:
    response = Request.blank("/openapi.json").get_response(wire.app)
    assert (response.status_int, response.content_type) == (200, "application/json")
    served = json.loads(response.body)
    assert served == document()
    validate(served)


def test_the_page_is_one_file_that_loads_the_document_only(wire: Wire) -> None:
    response = Request.blank("/docs").get_response(wire.app)
    assert (response.status_int, response.content_type) == (200, "text/html")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    for reference in ("http:", "https:", "src=", "@import", "innerHTML"):
        assert reference not in response.text
    assert 'fetch("openapi.json")' in response.text
    for path in ("/docs", "/openapi.json"):
        assert Request.blank(path, method="POST").get_response(wire.app).status_int == 405


def test_every_collection_action_filter_and_order_is_described() -> None:
    names = [title(collection.member) for collection in COLLECTIONS]
    assert len(names) == len(set(names))
    for collection in COLLECTIONS:
        listed = DOCUMENT["paths"][url(collection)]["get"]
        parameters = {parameter["name"]: parameter["schema"] for parameter in listed["parameters"]}
        assert parameters.keys() >= {"fields", "limit", "marker", "page_reverse"}
        assert parameters.keys() >= {attribute.name for attribute in collection.attributes if "F" in attribute}
        sorts = [attribute.name for attribute in collection.attributes if "S" in attribute]
        assert ("sort_key" in parameters) == bool(sorts)
        assert not sorts or parameters["sort_key"]["items"]["enum"] == sorts
        for name, action in collection.actions.items():
            described = DOCUMENT["paths"][f"{url(collection)}/{{{collection.member}_id}}/{name}"]
            assert ("put" if action.body is not None else "get") in described
    operations = [operation["operationId"] for item in DOCUMENT["paths"].values()
                  for verb, operation in item.items() if verb != "parameters"]
    assert len(operations) == len(set(operations))


def test_examples_fit_their_schemas() -> None:
    def walk(thing: Any) -> None:
        if isinstance(thing, dict):
            if "schema" in thing and "example" in thing:
                Draft202012Validator({**thing["schema"], "components": DOCUMENT["components"]}).validate(
                    thing["example"])
            for inner in thing.values():
                walk(inner)
        elif isinstance(thing, list):
            for inner in thing:
                walk(inner)

    walk(DOCUMENT)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70_000) | st.text(max_size=4)
    | st.sampled_from(["10.0.0.0/24", "10.0.0.5", "FE80::1", GONE, GONE.upper().replace("0", "A"), "tap1", "egress",
                       "02-00-00-00-00-01", "0200.0000.0001", "0", "4", "-1", "True", "YES", "oN", "f", "normal"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["subnet_id", "port_id", "ip_address", "start", "end", "destination", "nexthop", "host"]),
        inner, max_size=3), max_leaves=6)


@pytest.mark.parametrize("name", TYPES)
def test_what_a_type_takes_and_gives_is_what_its_schemas_say(name: str) -> None:
    convert: Type = TYPES[name]
    assert isinstance(convert, Described), f"{name} has no schema: @described in rest/attributes.py"
    taken, given_back = Draft202012Validator(convert.accepts), Draft202012Validator(convert.shows)

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(VALUES)
    def agree(value: Any) -> None:
        try:
            converted = convert(value)
        except Invalid:
            return
        assert taken.is_valid(value), value
        assert given_back.is_valid(converted), converted

    agree()


@pytest.mark.parametrize(("method", "path", "status", "body"), [
    ("GET", "/v2.0/networks", 200, {"networks": [{"id": 5}]}),
    ("GET", "/v2.0/networks", 200, {"networks": [{"secret": "x"}]}),
    ("GET", "/v2.0/networks", 200, {}),
    ("GET", f"/v2.0/networks/{GONE}", 404, {"error": "x"}),
    ("GET", "/v2.0/networks", 500, {"NeutronError": {"type": "x", "message": "", "detail": ""}}),
    ("POST", "/v2.0/networks", 201, {"network": {}}),
    ("DELETE", f"/v2.0/networks/{GONE}", 204, {}),
    ("GET", "/v2.0/elsewhere", 200, {}),
])
def test_an_answer_that_is_not_described_is_found(method: str, path: str, status: int, body: Any) -> None:
    assert misfits(method, path, status, body)
