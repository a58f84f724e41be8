"""What networks are on the wire, as lists are filtered by it."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, or_, select

from naas_sdn.db.rows import TunnelKeyRow

KINDS: Mapping[str, ColumnElement[bool]] = {
    "vxlan": TunnelKeyRow.physical_network.is_(None),
    "flat": and_(TunnelKeyRow.physical_network.is_not(None), TunnelKeyRow.vlan == 0),
    "vlan": and_(TunnelKeyRow.physical_network.is_not(None), TunnelKeyRow.vlan != 0),
}
NUMBER: ColumnElement[int | None] = case(
    (TunnelKeyRow.physical_network.is_(None), TunnelKeyRow.key), (TunnelKeyRow.vlan != 0, TunnelKeyRow.vlan))


def networks_with(filters: Mapping[str, tuple[Any, ...]], prefix: str = "") -> Select[str] | None:
    """The ids of those that pass the filters of `network_type`, `physical_network` and `segmentation_id`; None where
    there is none of these. `prefix` is what their names begin with."""
    conditions = list(_conditions({name: filters[prefix + name] for name in (
        "network_type", "physical_network", "segmentation_id") if prefix + name in filters}))
    return select(TunnelKeyRow.network_id).where(*conditions) if conditions else None


def _conditions(filters: Mapping[str, tuple[Any, ...]]) -> Iterator[ColumnElement[bool]]:
    if "network_type" in filters:
        # One that there is not is none's.
        yield or_(TunnelKeyRow.key.is_(None), *(KINDS[kind] for kind in filters["network_type"] if kind in KINDS))
    for name, column, kind in (("physical_network", TunnelKeyRow.physical_network, str),
                               ("segmentation_id", NUMBER, int)):
        if name in filters:
            known = column.in_([value for value in filters[name] if isinstance(value, kind)])
            yield or_(known, column.is_(None)) if None in filters[name] else known
