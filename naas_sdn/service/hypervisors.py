"""The register of hypervisors: who may speak for what. Operators read it by the API and write it by command."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db.rows import AgentRow, HypervisorRow, VifRow
from naas_sdn.errors import (
    Conflict,
    HypervisorInUse,
    HypervisorNotFound,
    InvalidInput,
    PolicyNotAuthorized,
)
from naas_sdn.model import identity
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.rows import find_rows, new_key
from naas_sdn.service.uplinks import connect, mappings


class HypervisorExists(Conflict):
    """Name, datapath ID, VTEP or certificate belongs to another."""


NONE: Mapping[str, str] = {}
ZONE = re.compile(r"[^\s,\x00-\x1f\x7f]{1,64}")


def register(session: Session, name: str, datapath_id: str, vtep: str, certificate: str | None,  # noqa: PLR0917
             zone: str = "nova", uplinks: Mapping[str, str] = NONE) -> HypervisorRow:
    """Add one; `datapath_id` in hexadecimal, `uplinks` as {physical network: interface}.

    Raises InvalidInput or HypervisorExists.
    """
    name, address = identity.host_name(name), identity.vtep(vtep)
    if not ZONE.fullmatch(zone):
        raise InvalidInput(f"Invalid input for availability zone: {zone!r} is not 1 to 64 printable characters without "
                           f"spaces and commas.")
    text = f"{identity.datapath_id(datapath_id):016x}"
    other = session.scalar(select(HypervisorRow).where(or_(
        HypervisorRow.name == name, HypervisorRow.datapath_id == text, HypervisorRow.vtep == str(address),
        func.coalesce(HypervisorRow.certificate, HypervisorRow.name) == (certificate or name))))
    if other is not None:
        raise HypervisorExists(f"Hypervisor {other.name} is registered with datapath ID {other.datapath_id}, VTEP "
                               f"{other.vtep} and certificate {other.certificate or other.name}; remove it first, or "
                               f"use others.")
    row = HypervisorRow(name=name, datapath_id=text, vtep=str(address), certificate=certificate or None,
                        key=new_key(session), availability_zone=zone, agent=AgentRow())
    session.add(row)
    session.flush()
    if uplinks:
        connect(session, row, uplinks)
    return row


def remove(session: Session, name: str) -> None:
    """Raises HypervisorNotFound, or HypervisorInUse while something is plugged there."""
    row = by_name(session, name)
    vif = session.scalar(select(VifRow).where(VifRow.host == name).limit(1))
    if vif is not None:
        raise HypervisorInUse(f"Port {vif.port_id} is plugged to {vif.interface} of hypervisor {name}; "
                              f"unplug it first.")
    session.delete(row)


def listed(session: Session) -> list[HypervisorRow]:
    return list(session.scalars(select(HypervisorRow).order_by(HypervisorRow.name)))


def by_name(session: Session, name: str) -> HypervisorRow:
    """Raises HypervisorNotFound."""
    row = session.scalar(select(HypervisorRow).where(HypervisorRow.name == name))
    if row is None:
        raise HypervisorNotFound(name)
    return row


def show(row: HypervisorRow) -> Attributes:
    return {"id": row.id, "name": row.name, "datapath_id": row.datapath_id, "vtep": row.vtep,
            "certificate": row.certificate, "alive": row.alive, "availability_zone": row.availability_zone,
            "physical_networks": mappings(row.uplinks),
            "created_at": row.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "updated_at": row.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")}


@dataclass(frozen=True, slots=True)
class Hypervisors:
    """Read only; a list is empty for those who are no operators."""

    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("create_hypervisor is disallowed by policy: use `naas-sdn hypervisor add`.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("update_hypervisor is disallowed by policy: use `naas-sdn hypervisor`.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        raise PolicyNotAuthorized("delete_hypervisor is disallowed by policy: use `naas-sdn hypervisor remove`.")

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        row = session.get(HypervisorRow, identifier) if context.may("get_hypervisor") else None
        if row is None:
            raise HypervisorNotFound(identifier)
        return show(row)

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        if not context.may("get_hypervisor"):
            return []
        return [show(row) for row in
                find_rows(session, context, HypervisorRow, query, HypervisorNotFound, clause=None,
                          options=[selectinload(HypervisorRow.uplinks)])]
