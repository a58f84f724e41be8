"""What of an object a caller is shown: attributes with a rule `get_MEMBER:ATTRIBUTE` are for whom it lets.

The rules are asked once a request; only those that look at the object, as an operator may write them, once for each.
What is not shown is not told by filters and orders either.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

from naas_sdn.service.contract import Attributes, Context, Query

SEARCHED = frozenset(("get_port:binding:host_id",))
"""Nova lists ports by host with its user's token, who is not shown it."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """For one caller and one kind of object, `rule`: its `get_MEMBER`. `hidden` attributes nobody reads; `judged` are
    shown or not by object."""

    context: Context
    rule: str
    hidden: frozenset[str]
    judged: tuple[str, ...]

    def shown(self, item: Attributes) -> Attributes:
        """Without what the caller is not to read, and what the service gave for rules to look at."""
        gone = self.hidden.intersection(item)
        judged = {name for name in self.judged if name in item and not self.context.may(f"{self.rule}:{name}", item)}
        parents = [name for name in PARENTS if name in item]
        if not gone and not judged and not parents:
            return item
        return {name: value for name, value in item.items()
                if name not in gone and name not in judged and name not in PARENTS}

    def answer(self, content: Attributes | list[Attributes]) -> Attributes | list[Attributes]:
        """What an action answers: its objects, which have a revision, as they are shown."""
        if isinstance(content, list):
            return content
        if "revision_number" in content:
            return self.shown(content)
        return {name: self.shown(item) if isinstance(item, dict) and "revision_number" in item else item
                for name, item in content.items()}

    def query(self, query: Query) -> Query:
        """Without what would tell of attributes that are not for everybody of this project."""
        secret = {name for name in (*self.hidden, *self.judged) if f"{self.rule}:{name}" not in SEARCHED}
        if secret.isdisjoint(query.filters) and secret.isdisjoint(name for name, _ in query.sorts):
            return query
        return replace(query, filters={name: of for name, of in query.filters.items() if name not in secret},
                       sorts=tuple(sort for sort in query.sorts if sort[0] not in secret))


PARENTS = frozenset(("network:project_id",))


def disclosure(context: Context, member: str) -> Disclosure:
    rule = f"get_{member}"
    parts = context.rules.parts.get(rule, ())
    judged = tuple(name for name in parts if f"{rule}:{name}" in context.rules.looking)
    return Disclosure(context, rule, frozenset(
        name for name in parts if name not in judged and not context.may(f"{rule}:{name}")), judged)
