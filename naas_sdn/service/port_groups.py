"""The security groups of a port: which it gets, and which it may have."""
from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import PortRow
from naas_sdn.db.security_group_rows import PortSecurityGroupRow, SecurityGroupRow
from naas_sdn.errors import (
    BadRequest,
    PortSecurityAndIPRequiredForSecurityGroups,
    PortSecurityPortHasSecurityGroup,
    SecurityGroupNotFound,
)
from naas_sdn.service.contract import Attributes, Context
from naas_sdn.service.security_groups import SEEN, default_group

MOST = 50
"""Groups of one port."""

TRUSTED = "network:"
"""How the device owners begin whose ports have no groups: routers and services of the cloud."""


def of_new_port(session: Session, context: Context, attributes: Attributes, *, secure: bool) -> list[str]:
    """Ids of a new port's groups: those it names, or its project's default one. `secure`: with port security.

    Raises PortSecurityAndIPRequiredForSecurityGroups, SecurityGroupNotFound and BadRequest.
    """
    wanted = attributes.get("security_groups")
    if not secure:
        _require_none(wanted)
        return []
    if attributes.get("device_owner", "").startswith(TRUSTED):
        return []
    if wanted is None:
        return [default_group(session, attributes["project_id"])]
    return _found(session, context, attributes["project_id"], wanted)


def change(session: Session, context: Context, row: PortRow, attributes: Attributes) -> None:
    """As a PUT of the port says, whose other attributes are not in `row` yet.

    Raises PortSecurityPortHasSecurityGroup, and what `of_new_port` does.
    """
    wanted = attributes.get("security_groups")
    held = {member.security_group_id for member in row.security_groups}
    if not attributes.get("port_security_enabled", row.port_security_enabled):
        _require_none(wanted)
        if wanted is None and held:
            raise PortSecurityPortHasSecurityGroup(f"Port {row.id} has security groups: give security_groups as [] "
                                                   f"with the request that turns its port security off.")
    if wanted is None:
        return
    if attributes.get("device_owner", row.device_owner).startswith(TRUSTED):
        wanted = []
    # What an operator put there, its owner need not see to leave it there.
    after = {*_found(session, context, row.project_id, set(wanted) - held), *(held & set(wanted))}
    _require_few(after)
    row.security_groups = [*(member for member in row.security_groups if member.security_group_id in after),
                           *members(sorted(after - held))]


def members(ids: Iterable[str]) -> list[PortSecurityGroupRow]:
    """For a port's `security_groups`."""
    return [PortSecurityGroupRow(security_group_id=identifier) for identifier in ids]


def ids_of(row: PortRow) -> list[str]:
    """In order."""
    return sorted(member.security_group_id for member in row.security_groups)


def having(ids: Iterable[str]) -> ColumnElement[bool]:
    """Ports in any of these groups."""
    return PortRow.id.in_(select(PortSecurityGroupRow.port_id).where(
        PortSecurityGroupRow.security_group_id.in_([identifier for identifier in ids if identifier is not None])))


def _require_none(wanted: list[str] | None) -> None:
    if wanted:
        raise PortSecurityAndIPRequiredForSecurityGroups(
            "Port security must be enabled and port must have an IP address in order to use security groups.")


def _require_few(ids: Iterable[str]) -> None:
    number = len(set(ids))
    if number > MOST:
        raise BadRequest(f"Invalid input for security_groups: a port is in at most {MOST} groups, not {number}.")


def _found(session: Session, context: Context, project_id: str, ids: Iterable[str]) -> list[str]:
    """The ids, of groups that the port's project has or may use, or that an operator names."""
    wanted = sorted(set(ids))
    _require_few(wanted)
    if not wanted:
        return []
    query = select(SecurityGroupRow.id).where(SecurityGroupRow.id.in_(wanted))
    if not context.is_admin:
        query = query.where(SEEN.row)
    missing = sorted(set(wanted) - set(session.scalars(query, {"reader": project_id})))
    if missing:
        raise SecurityGroupNotFound(missing[0])
    return wanted
