"""The kinds of check that Neutron adds to oslo.policy's language; its parser and its tools know them from here on.

One that asks for what its target does not have fails.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from oslo_policy import policy

Target = Mapping[str, Any]
"""What an action is about: attributes by name, and its parents' owners as `network:project_id`."""

PLACE = re.compile(r"%\(([^)]+)\)s")


@policy.register("project_id")
@policy.register("tenant_id")
class OwnerCheck(policy.Check):
    """`project_id:%(project_id)s`, `tenant_id:%(network:tenant_id)s`: the caller's project is what stands there.

    Raises ValueError for what is not of that form.
    """

    def __init__(self, kind: str, match: str) -> None:
        super().__init__(kind, match)
        found = PLACE.fullmatch(match)
        if found is None:
            raise ValueError(f"{kind}:{match} compares with no attribute; write {kind}:%(project_id)s")
        self._field = found[1]

    def __call__(self, target: Target, creds: MutableMapping[str, Any], enforcer: Any,
                 current_rule: str | None = None) -> bool:
        try:
            return bool(creds[self.kind] == target[self._field])
        except KeyError:
            return False


@policy.register("field")
class FieldCheck(policy.Check):
    """`field:networks:shared=True`, `field:port:device_owner=~^network:`: an attribute is just this, or begins so.

    Raises ValueError for what is not of that form.
    """

    def __init__(self, kind: str, match: str) -> None:
        super().__init__(kind, match)
        resource, _, condition = match.partition(":")
        self._field, equal, value = condition.partition("=")
        if not (resource and self._field and equal):
            raise ValueError(f"{kind}:{match} is not field:RESOURCE:ATTRIBUTE=VALUE")
        self._matches = _pattern(value[1:]) if value.startswith("~") else _equal_to(value)

    def __call__(self, target: Target, creds: MutableMapping[str, Any], enforcer: Any,
                 current_rule: str | None = None) -> bool:
        value = target.get(self._field)
        return value is not None and self._matches(str(value))


def _pattern(text: str) -> Callable[[str], bool]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError(f"{text} is no regular expression: {error}") from error
    return lambda value: pattern.match(value) is not None


def _equal_to(text: str) -> Callable[[str], bool]:
    """Truth values are written in any case."""
    known = ("true", "false")
    return lambda value: value == text or (value.lower() in known and value.lower() == text.lower())
