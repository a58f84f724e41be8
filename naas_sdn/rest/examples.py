"""Examples out of schemas: what a client could send or get."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from naas_sdn.rest.attributes import Schema


def example(schema: Schema, named: Mapping[str, Schema] | None = None) -> Any:
    """A value that fits: the schema's own example where it has one. `named`: what a $ref may lead to."""
    if "$ref" in schema:
        return example((named or {})[schema["$ref"].rsplit("/", 1)[-1]], named)
    if "examples" in schema:
        return schema["examples"][0]
    for key in ("anyOf", "allOf"):
        if key in schema:
            return example(schema[key][0], named)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: example(of, named) for name, of in schema.get("properties", {}).items()}
        case "array":
            return [example(schema["items"], named)]
        case "integer":
            return schema.get("minimum", 0)
        case "boolean":
            return True
        case _:
            return "string"
