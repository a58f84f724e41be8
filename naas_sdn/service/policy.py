"""Rules of oslo.policy's language, compiled: each is one function, for a request asks several.

oslo.policy parses them, and its tools read and write them. Its own Enforcer looks at files and signatures each time,
which takes a hundred times as long as deciding.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from oslo_policy import _checks as kinds
from oslo_policy import policy

from naas_sdn.errors import ConfigurationError
from naas_sdn.service.policy_checks import FieldCheck, OwnerCheck, Target

Credentials = MutableMapping[str, Any]
Decision = Callable[[Target, Credentials], bool]

IMPLIED = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}
"""What roles are part of which, as Keystone is set up to have it (its `bootstrap`)."""

NOTHING: Mapping[str, Any] = {}
"""The target of who only asks what he is."""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """By name. `texts`: as they are written. `roles`: those that any rule names.

    `looking`: those that look at the target. `changed`: those that are not as usual, or need one that is not.
    `idle`: those that no action asks, and no other rule needs.
    `parts`: the attributes that have rules of their own, by the rule of the whole: {"create_network": ("shared",)}.
    """

    decisions: Mapping[str, Decision] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    looking: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def allow(self, rule: str, target: Target, credentials: Credentials) -> bool:
        """Nobody, what no rule is about."""
        decision = self.decisions.get(rule)
        return decision is not None and decision(target, credentials)


NONE = Rules()
"""Nobody may anything."""


def credentials(project_id: str, user_id: str, roles: Iterable[str], service_roles: Iterable[str]) -> Credentials:
    """What checks ask of the caller, by the names that oslo.policy's users know."""
    held = {role.lower() for role in roles}
    held.update(*(IMPLIED.get(role, ()) for role in held))
    return {"project_id": project_id, "tenant_id": project_id, "user_id": user_id, "user": user_id,
            "roles": frozenset(held), "service_roles": sorted(service_roles)}


def compiled(texts: Mapping[str, str], usual: Mapping[str, str] | None = None) -> Rules:
    """`usual`: the rules that actions ask, as they would be; these themselves when nothing is said.

    Raises ConfigurationError for a rule that is not written as it should be, names one that is not there, or
    itself."""
    checks = {name: _parsed(name, text) for name, text in texts.items()}
    roles: set[str] = set()
    decisions: dict[str, Decision] = {}

    def rule(name: str, asking: tuple[str, ...]) -> Decision:
        if name in asking:
            raise ConfigurationError(f"Policy rule {name} needs itself: {' -> '.join((*asking, name))}.")
        if name not in checks:
            raise ConfigurationError(f"Policy rule {asking[-1]} needs rule:{name}, which is not there.")
        if name not in decisions:
            decisions[name] = decision(checks[name], (*asking, name))
        return decisions[name]

    def decision(check: kinds.BaseCheck, asking: tuple[str, ...]) -> Decision:
        match check:
            case kinds.TrueCheck():
                return lambda target, creds: True
            case kinds.FalseCheck():
                return lambda target, creds: False
            case kinds.NotCheck():
                part = decision(check.rule, asking)
                return lambda target, creds: not part(target, creds)
            case kinds.AndCheck():
                parts = tuple(decision(each, asking) for each in check.rules)
                return lambda target, creds: all(part(target, creds) for part in parts)
            case kinds.OrCheck():
                parts = tuple(decision(each, asking) for each in check.rules)
                return lambda target, creds: any(part(target, creds) for part in parts)
            case kinds.RuleCheck():
                return rule(check.match, asking)
            case kinds.RoleCheck() if "%" not in check.match:
                role = check.match.lower()
                roles.add(role)
                return lambda target, creds: role in creds["roles"]
            case OwnerCheck() | FieldCheck() | kinds.GenericCheck() | kinds.RoleCheck():
                return lambda target, creds: bool(check(target, creds, _NO_ENFORCER))
        raise ConfigurationError(f"Policy rule {asking[-1]}: '{check}' asks another server, which is not served here; "
                                 f"checks are rule:, role:, project_id:, field:, and attributes of the caller.")

    for name in checks:
        rule(name, ())
    usual = texts if usual is None else usual
    needs = {name: _needs(name, checks) for name in checks}
    changed = {name for name, text in texts.items() if usual.get(name) != text}
    looking = {name for name, check in checks.items() if _looks(check)}
    parts: dict[str, list[str]] = {}
    for name in usual:
        whole, colon, part = name.partition(":")
        if colon:
            parts.setdefault(whole, []).append(part)
    needed = {other for name in needs for other in needs[name] - {name}}
    return Rules(decisions, dict(texts), frozenset(roles), frozenset(name for name in needs if needs[name] & looking),
                 frozenset(name for name in needs if needs[name] & changed), frozenset(texts) - set(usual) - needed,
                 {whole: tuple(of) for whole, of in parts.items()})


_NO_ENFORCER: Any = None
"""The checks that are called with it look only at target and credentials."""


def _leaves(check: kinds.BaseCheck) -> Iterator[kinds.BaseCheck]:
    match check:
        case kinds.NotCheck():
            yield from _leaves(check.rule)
        case kinds.AndCheck() | kinds.OrCheck():
            for part in check.rules:
                yield from _leaves(part)
        case _:
            yield check


def _needs(name: str, checks: Mapping[str, kinds.BaseCheck]) -> set[str]:
    """The rule and all that it needs, which is no circle."""
    found = {name}
    for leaf in _leaves(checks[name]):
        if isinstance(leaf, kinds.RuleCheck):
            found |= _needs(leaf.match, checks)
    return found


def _looks(check: kinds.BaseCheck) -> bool:
    """Whether it looks at the target itself."""
    return any(isinstance(leaf, FieldCheck) or "%" in leaf.match for leaf in _leaves(check)
               if isinstance(leaf, policy.Check))


def _parsed(name: str, text: str) -> kinds.BaseCheck:
    """Raises ConfigurationError where oslo.policy itself logs, and goes on with a check that always fails."""
    try:
        check = policy.RuleDefault(name, text).check
    except (ValueError, policy.InvalidRuleDefault) as error:
        raise ConfigurationError(f"Policy rule {name}: {error}.") from error
    failing = sum(isinstance(leaf, kinds.FalseCheck) for leaf in _leaves(check))
    if failing > len(re.findall(r"(?:^|[\s(])!(?=$|[\s)])", text)):
        raise ConfigurationError(f"Policy rule {name}: '{text}' is not written as oslo.policy's rules are, such as "
                                 f"'role:member and project_id:%(project_id)s'.")
    return check
