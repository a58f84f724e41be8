"""What a caller may do, asked of the policy: by the rule of an action, and by those of the attributes that it sets."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from naas_sdn.errors import PolicyNotAuthorized
from naas_sdn.service.contract import Attributes, Context
from naas_sdn.service.policy import NOTHING
from naas_sdn.service.policy_checks import Target

PARENTS = {"network": "network", "security_group": "group", "ext_parent": "policy"}
"""How rules call the parent of an object (`network:project_id`), and how its row does."""

SILENT: tuple[Any, ...] = (None, False, "", [], {})
"""What POST says by default."""
SPOKEN: Mapping[str, tuple[Any, ...]] = {
    "create_network:port_security_enabled": (True,), "create_port:port_security_enabled": (None,),
    "create_port:binding:vnic_type": ("normal",), "create_router:external_gateway_info:enable_snat": (True,),
}
"""What it does of single attributes, where that is otherwise."""


class RowTarget(Mapping[str, Any]):
    """A row as rules see it, and in front of it what is `said` of it; parents, and what is told `later`, are read when
    a rule asks."""

    __slots__ = ("_later", "_row", "_said")

    def __init__(self, row: Any, said: Mapping[str, Any] = NOTHING,
                 later: Mapping[str, Callable[[], Any]] = NOTHING) -> None:
        self._row, self._said, self._later = row, said, later

    def __getitem__(self, key: str) -> Any:
        if key in self._said:
            return self._said[key]
        if key in self._later:
            return self._later[key]()
        key = key.replace("tenant_id", "project_id") if key.endswith("tenant_id") else key
        parent, _, name = key.rpartition(":")
        if parent == "" and key in self._row.__mapper__.column_attrs:
            return getattr(self._row, key)
        if name == "project_id" and PARENTS.get(parent, "") in self._row.__mapper__.relationships:
            return getattr(self._row, PARENTS[parent]).project_id
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        yield from {*self._said, *self._later, *(attribute.key for attribute in self._row.__mapper__.column_attrs)}

    def __len__(self) -> int:
        return sum(1 for _ in self)


def require(context: Context, rule: str, target: Target = NOTHING) -> None:
    """Raises PolicyNotAuthorized unless the caller may; what no rule is about, nobody may."""
    if not context.may(rule, target):
        needed = context.rules.texts.get(rule)
        raise PolicyNotAuthorized(f"rule:{rule} is disallowed by policy: " + (
            "there is no such rule." if needed is None else f"it takes {needed or 'nothing'}."))


def require_owner(context: Context, row: Any, rule: str) -> None:
    """For an action on what `row` is, which the caller sees. Raises PolicyNotAuthorized."""
    require(context, rule, RowTarget(row))


def require_new(context: Context, attributes: Attributes, rule: str, **parents: Any) -> None:
    """For making what has these attributes, of parents such as `network` (rows). Raises PolicyNotAuthorized."""
    target = _new(attributes, parents)
    require(context, rule, target)
    for part in context.rules.parts.get(rule, ()):
        name = f"{rule}:{part}"
        if any(value not in SPOKEN.get(name, SILENT) for value in _values(attributes, part)):
            require(context, name, target)


def require_change(context: Context, row: Any, attributes: Attributes, rule: str,
                   present: Mapping[str, Any] = NOTHING) -> None:
    """For giving these attributes to what `row` is. To tell back one of those that it has at `present` is to say
    nothing. Raises PolicyNotAuthorized."""
    require(context, rule, RowTarget(row))
    target = RowTarget(row, attributes)
    for part in context.rules.parts.get(rule, ()):
        if _values(attributes, part) and not _told_back(attributes, part, present):
            require(context, f"{rule}:{part}", target)


def _new(attributes: Attributes, parents: Mapping[str, Any]) -> Target:
    owned = {f"{name}:{key}": row.project_id for name, row in parents.items() for key in ("project_id", "tenant_id")}
    target = {**attributes, **owned}
    if "project_id" in target:
        target["tenant_id"] = target["project_id"]
    return target


def _told_back(attributes: Attributes, part: str, present: Mapping[str, Any]) -> bool:
    name = part if part in attributes else part.rpartition(":")[0]
    return name in present and bool(attributes[name] == present[name])


def _values(attributes: Attributes, part: str) -> list[Any]:
    """What is said of an attribute, or, as `fixed_ips:ip_address`, of one inside it."""
    if part in attributes:
        return [attributes[part]]
    outer, _, inner = part.rpartition(":")
    value = attributes.get(outer)
    items = value if isinstance(value, list) else [value]
    return [item[inner] for item in items if isinstance(item, dict) and item.get(inner) is not None]
