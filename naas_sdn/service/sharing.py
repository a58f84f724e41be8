"""Objects that projects share: a resource is wrapped, so that each knows nothing of `shared` itself."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from naas_sdn.db.rbac_rows import EVERYBODY, RbacPolicyRow
from naas_sdn.errors import InvalidInput, InvalidSharedSetting
from naas_sdn.service import grants
from naas_sdn.service.access import require
from naas_sdn.service.contract import Action, Attributes, Context, Query, Resource


@dataclass(frozen=True, slots=True)
class Shared:
    """`resource`, its objects shown with `shared` as it is for the caller, which operators set and take back.

    `kind` is an RBAC object type; `for_good`: PUT does not take it back; `named`: as policy rules call one, where that
    is otherwise.
    """

    resource: Resource
    kind: str
    for_good: bool = False
    named: str = ""

    @property
    def member(self) -> str:
        return self.named or self.kind

    @property
    def actions(self) -> Mapping[str, Action]:
        return {name: self._showing(action) for name, action in self.resource.actions.items()}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        wanted = attributes.get("shared", False)
        if wanted:
            require(context, f"create_{self.member}:shared", attributes)
        made = self.resource.create(session, context, _without(attributes), parent)
        if wanted:
            self._share(session, made)
        return {**made, "shared": wanted}

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        item = self.resource.update(session, context, identifier, _without(attributes), parent)
        if "shared" in attributes:
            policy = grants.to_everybody(session, item["id"])
            if attributes["shared"] != (policy is not None):
                require(context, f"update_{self.member}:shared", {**item, "shared": attributes["shared"]})
                if policy is None:
                    self._share(session, item)
                else:
                    self._take_back(session, policy)
                item = self.resource.get(session, context, identifier, parent)
        return self._shown(session, context, [item])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        self.resource.delete(session, context, identifier, parent)
        grants.forget(session, identifier)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._shown(session, context, [self.resource.get(session, context, identifier, parent)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return self._shown(session, context, self.resource.find(session, context, query, parent))

    def _share(self, session: Session, item: Attributes) -> None:
        grants.add(session, RbacPolicyRow(
            project_id=item["project_id"], object_type=self.kind, object_id=item["id"],
            action=grants.ACCESS_AS_SHARED, target_tenant=EVERYBODY), self._row(session, item["id"]))

    def _take_back(self, session: Session, policy: RbacPolicyRow) -> None:
        if self.for_good:
            raise InvalidInput(f"Invalid input for operation: Unable to update {self.kind} {policy.object_id}: "
                               f"a shared one cannot be taken back.")
        user = grants.user_without(session, policy)
        if user is not None:
            raise InvalidSharedSetting(f"Unable to reconfigure sharing settings for {self.kind} {policy.object_id}. "
                                       f"Project {user[1]} uses it in {user[0]}.")
        grants.changed(self._row(session, policy.object_id))
        session.delete(policy)
        session.flush()

    def _row(self, session: Session, identifier: str) -> object:
        return session.get(grants.SHAREABLE[self.kind].row, identifier)

    def _showing(self, action: Action) -> Action:
        """The action, the object in its answer shown as it is for the caller."""

        def acted(session: Session, context: Context, identifier: str,
                  attributes: Attributes) -> Attributes | list[Attributes]:
            answer = action(session, context, identifier, attributes)
            if not isinstance(answer, dict):
                return answer
            return {name: self._shown(session, context, [item])[0]
                    if isinstance(item, dict) and "revision_number" in item else item for name, item in answer.items()}

        return acted

    @staticmethod
    def _shown(session: Session, context: Context, items: list[Attributes]) -> list[Attributes]:
        """The items, with `shared`: one statement for all."""
        shared = grants.shared_of(session, context, [item["id"] for item in items]) if items else set()
        return [{**item, "shared": item["id"] in shared} for item in items]


def _without(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if name != "shared"}
