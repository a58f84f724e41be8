"""Users with passwords, and their roles in projects. A user's name is what the API and its log know him by."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from naas_sdn.db.user_rows import RoleRow, UserRow
from naas_sdn.errors import Conflict, InvalidInput, NotFound
from naas_sdn.service.contract import Context
from naas_sdn.service.tokens import require_roles


class UserNotFound(NotFound):
    noun = "User"


class UserExists(Conflict):
    pass


class RoleNotFound(NotFound):
    noun = "Role"


@dataclass(frozen=True, slots=True)
class User:
    """`password` as stored; None: there is no such user. `roles` by project."""

    name: str
    password: str | None
    roles: dict[str, frozenset[str]]

    def context(self, project_id: str | None) -> Context | None:
        """In this project, or when None in the only one where he has a role; None when there is not just that."""
        if project_id is None and len(self.roles) == 1:
            [project_id] = self.roles
        if project_id is None or project_id not in self.roles:
            return None
        return Context(project_id, self.name, self.roles[project_id])


_BY_NAME = select(UserRow.password, RoleRow.project_id, RoleRow.role).outerjoin(
    RoleRow, RoleRow.user == UserRow.name).where(UserRow.name == bindparam("name"))


def find(session: Session, name: str) -> User:
    """By one statement, whether there is such a user or not."""
    rows = session.execute(_BY_NAME, {"name": name}).all()
    roles: dict[str, set[str]] = {}
    for row in rows:
        if row.project_id is not None:
            roles.setdefault(row.project_id, set()).add(row.role)
    return User(name, rows[0].password if rows else None,
                {project: frozenset(those) for project, those in roles.items()})


def create(session: Session, name: str, password: str) -> None:
    """A user without roles. `password` is hashed (passwords.hashed), which takes too long for a transaction.

    Raises InvalidInput, UserExists.
    """
    if not 0 < len(name) <= 255 or not name.isprintable() or ":" in name:
        raise InvalidInput("A user's name has at most 255 printable characters and no colon (RFC 7617 section 2).")
    if session.get(UserRow, name) is not None:
        raise UserExists(f"There is a user {name} already; `naas-sdn user set-password` changes the password.")
    session.add(UserRow(name=name, password=password))
    session.flush()


def set_password(session: Session, name: str, password: str) -> None:
    """`password` is hashed; the old one ends at once. Raises UserNotFound."""
    _user(session, name).password = password


def delete(session: Session, name: str) -> None:
    """With his roles. Raises UserNotFound."""
    session.delete(_user(session, name))


def grant(session: Session, name: str, project_id: str, roles: Iterable[str]) -> None:
    """Roles more in a project. Raises InvalidInput, UserNotFound."""
    wanted = require_roles(roles)
    if not 0 < len(project_id) <= 255 or not project_id.isprintable():
        raise InvalidInput("A project has at most 255 printable characters.")
    user = _user(session, name)
    has = {row.role for row in user.roles if row.project_id == project_id}
    user.roles.extend(RoleRow(project_id=project_id, role=role) for role in wanted if role not in has)
    session.flush()


def revoke(session: Session, name: str, project_id: str, roles: Iterable[str] = ()) -> None:
    """These roles in a project, or when none are named all. Raises InvalidInput, UserNotFound, RoleNotFound."""
    user = _user(session, name)
    has = {row.role: row for row in user.roles if row.project_id == project_id}
    wanted = require_roles(roles or has or ("member",))
    for role in wanted:
        if role not in has:
            raise RoleNotFound(f"{role} of {name} in project {project_id}")
        user.roles.remove(has[role])
    session.flush()


def listed(session: Session) -> list[User]:
    """In the order of their names."""
    found = []
    for row in session.scalars(select(UserRow).order_by(UserRow.name)):
        projects = sorted({role.project_id for role in row.roles})
        found.append(User(row.name, row.password, {
            project: frozenset(role.role for role in row.roles if role.project_id == project) for project in projects}))
    return found


def _user(session: Session, name: str) -> UserRow:
    row = session.get(UserRow, name)
    if row is None:
        raise UserNotFound(name)
    return row
