"""Whether an answer is one that the API's description tells of."""
from __future__ import annotations

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from naas_sdn.rest.openapi import document

DOCUMENT = document()


@cache
def operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The paths as patterns, those with fewest parameters first."""
    paths = sorted(DOCUMENT["paths"].items(), key=lambda item: item[0].count("{"))
    return [(_pattern(path), item) for path, item in paths]


def _pattern(path: str) -> re.Pattern[str]:
    """Collections are spelt with dashes too."""
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", path.rstrip("/")).replace("_", "[-_]"))


@cache
def validator(path: str, verb: str, status: str) -> Draft202012Validator | None:
    """Of this answer's body; None when it has none. Raises KeyError when it is not described."""
    item = next(item for pattern, item in operations() if pattern.pattern == path)
    response = item[verb]["responses"][status]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][status]
    if "content" not in response:
        return None
    return Draft202012Validator({**response["content"]["application/json"]["schema"],
                                 "components": DOCUMENT["components"]})


def misfits(method: str, url: str, status: int, body: Any) -> list[str]:
    """What is wrong with the answer. What is not described must be an error: 404 or 405, or before either is known."""
    path = url.partition("?")[0].rstrip("/").removesuffix(".json")
    if path.startswith("/v2.0/policies"):
        # Neutron's short spelling.
        path = path.replace("policies", "qos/policies", 1)
    found = next(((pattern.pattern, item) for pattern, item in operations() if pattern.fullmatch(path)), None)
    if found is None or method.lower() not in found[1]:
        return [] if status >= 400 else [f"{method} {path} is not described, but answers {status}"]
    try:
        checked = validator(found[0], method.lower(), str(status))
    except KeyError:
        return [f"{method} {path}: {status} is not described"]
    if checked is None:
        return [] if body is None else [f"{method} {path}: {status} has a body"]
    return [f"{method} {path}: {status}: {error.json_path}: {error.message}" for error in checked.iter_errors(body)]
