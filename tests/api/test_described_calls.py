"""Calls made up of our own OpenAPI document, right ones and wrong ones: no answer is outside it, or our fault."""
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core import NotSet

from tests.api.described import DOCUMENT
from tests.api.wire import GONE, Wire

EXAMPLES = 12
"""Calls of each operation, and of each kind."""

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()
              if found.ok().path.startswith("/v2.0/")}
HEADERS = ("If-Match",)

# The same calls each time, so that what is green stays so; and each is small, so there is nothing to shrink.
CALLS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
                 phases=(Phase.explicit, Phase.generate),
                 suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def cloud(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, dict[str, list[str]]]]:
    """With one of each, by what their ids are called in paths: ids that a call may name."""
    path = tmp_path_factory.mktemp("cloud") / "naas.db"
    path.write_bytes(migrated.read_bytes())
    with Wire(f"sqlite:///{path}", options="[quotas]\n" + "".join(
            f"{name} = -1\n" for name in ("network", "subnet", "port", "router", "route", "security_group",
                                          "security_group_rule", "rbac_policy"))) as wire:
        wire.ask("GET", "networks")
        yield wire, _furnished(wire)


def _furnished(wire: Wire) -> dict[str, list[str]]:
    first, second = (wire.network(f"10.{number}.0.0/24", "admin", shared=True) for number in (1, 2))
    port = wire.make("ports", "admin", network_id=first["id"])["id"]
    policy = wire.make("qos/policies", "admin", name="gold")["id"]
    made = {
        "networks": first["id"], "subnets": first["subnets"][0], "ports": port, "qos/policies": policy,
        "routers": wire.make("routers", "admin")["id"],
        "vifs": wire.make("vifs", "admin", port_id=port, host="hv1", interface="tap1")["id"],
        "routes": wire.make("routes", "admin", source_subnet_id=first["subnets"][0],
                            destination_subnet_id=second["subnets"][0])["id"],
        "bridges": wire.make("bridges", "admin", network_id=first["id"])["id"],
        "security_groups": wire.make("security_groups", "admin")["id"],
        "hypervisors": wire.ask("GET", "hypervisors", who="admin").body["hypervisors"][0]["id"],
    }
    return {collection: [identifier, GONE] for collection, identifier in made.items()}


def path_of(case: Case, known: Mapping[str, list[str]], choice: int) -> str:
    """The call's path; two times of three with ids that are there."""
    values = dict(case.path_parameters or {})
    collection = case.operation.path.removeprefix("/v2.0/").split("/{")[0].replace("-", "_")
    first = next(iter(values), None)
    if first is not None and choice and collection in known:
        values[first] = known[collection][choice - 1]
    return case.operation.path.format(**{name: quote(str(value), safe="") for name, value in values.items()})


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_every_answer_is_described(cloud: tuple[Wire, dict[str, list[str]]], mode: GenerationMode, label: str) -> None:
    """`ask` holds each to the document."""
    wire, known = cloud
    operation = OPERATIONS[label]

    @CALLS
    @given(case=operation.as_strategy(generation_mode=mode), who=st.sampled_from(["admin", "alice", "reader"]),
           choice=st.integers(0, 2))
    def call(case: Case, who: str, choice: int) -> None:
        path = path_of(case, known, choice).removeprefix("/v2.0/")
        query = urlencode(_texts(case.query or {}), doseq=True, errors="surrogatepass")
        headers = {name.replace("-", "_"): str(value) for name, value in (case.headers or {}).items()
                   if name in HEADERS and str(value).isascii() and str(value).isprintable()}
        body = case.body
        raw = None if isinstance(body, NotSet) else _raw(body)
        answer = wire.ask(case.method, f"{path}?{query}" if query else path, who=who, raw=raw, **headers)
        # A bridge may be of any type that has a plugin; that there is none for a word made up is no fault.
        unserved = answer.status == 501 and case.operation.path.startswith("/v2.0/bridges")
        assert answer.status < 500 or unserved, (answer.status, answer.body)

    call()


def _texts(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [_text(item) for item in value] if isinstance(value, list) else _text(value)
            for name, value in query.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _raw(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
