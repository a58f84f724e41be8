"""What REST knows of the service: who asks, what for, and the operations of a collection."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.orm import Session

from naas_sdn.errors import HTTPMethodNotAllowed
from naas_sdn.service import policy
from naas_sdn.service.policy_checks import Target

Attributes = dict[str, Any]

ROLES = frozenset(("admin", "service", "manager", "member", "reader"))


@dataclass(frozen=True, slots=True)
class Context:
    """The caller of one request, and the rules by which he may what he asks."""

    project_id: str
    user_id: str
    roles: frozenset[str]
    request_id: str = ""
    service_roles: frozenset[str] = frozenset()
    """Those of the X-Service-Token beside the user's: a service that acts for him."""
    rules: policy.Rules = policy.NONE
    credentials: policy.Credentials = field(init=False, repr=False, compare=False)
    _known: dict[str, bool] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "credentials", policy.credentials(
            self.project_id, self.user_id, self.roles, self.service_roles))

    def may(self, rule: str, target: Target = policy.NOTHING) -> bool:
        """By the policy rule of that name; without a target, whatever it is about."""
        if target is not policy.NOTHING:
            return self.rules.allow(rule, target, self.credentials)
        if rule not in self._known:
            self._known[rule] = self.rules.allow(rule, target, self.credentials)
        return self._known[rule]

    def might(self, rule: str) -> bool:
        """Whether there can be something that he may."""
        return rule in self.rules.looking or self.may(rule)

    @property
    def is_admin(self) -> bool:
        return self.may("context_is_admin")

    @property
    def is_service(self) -> bool:
        """May speak for all projects: the operator, or the compute service."""
        return self.is_admin or self.may("service_api")

    @property
    def sees_all(self) -> bool:
        """What all projects have."""
        return self.is_service or self.may("context_with_global_access")

    @property
    def is_somebody(self) -> bool:
        """Has any role that a rule names; without one he may not even read."""
        return not self.rules.roles.isdisjoint(self.credentials["roles"])

    @property
    def through_service(self) -> bool:
        """By a service itself, or by one that vouches for its user."""
        return self.may("through_service")

    def owns(self, project_id: str) -> bool:
        return self.is_admin or project_id == self.project_id


@dataclass(frozen=True, slots=True)
class Query:
    """A list request: each filter is any-of; `sorts` are (attribute, descending); `marker` the id before the page."""

    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    sorts: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None
    marker: str | None = None
    reverse: bool = False


class NeedsToWrite(Exception):
    """No error: what was asked of a session that reads is to be asked again of one that writes."""


Action = Callable[[Session, Context, str, Attributes], Attributes | list[Attributes]]


class Resource(Protocol):
    """The operations of one collection. `parent` holds the ids in its URL, such as {"policy_id": ...}.

    Attributes come with their shapes checked and defaults filled; what is returned is the whole resource.
    """

    @property
    def actions(self) -> Mapping[str, Action]:
        """By the last part of /{collection}/{id}/{action}."""

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes: ...

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes: ...

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None: ...

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes: ...

    def find(self, session: Session, context: Context, query: Query,
             parent: Mapping[str, str]) -> list[Attributes]: ...


class Refusing:
    """A resource's operations for the verbs that its collection has not (rest/resources.py): each refuses.

    A class of it has those that there are.
    """

    __slots__ = ()

    @property
    def actions(self) -> Mapping[str, Action]:
        return {}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPMethodNotAllowed("None can be made here.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise HTTPMethodNotAllowed("None can be changed here.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        raise HTTPMethodNotAllowed("None can be deleted here.")
