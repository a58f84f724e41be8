"""Who serves what, as Neutron lists it (read only): the L3 plugin realises routers."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from naas_sdn.errors import ServiceProviderNotFound
from naas_sdn.service.contract import Attributes, Context, Query, Refusing


@dataclass(frozen=True, slots=True)
class ServiceProviders(Refusing):
    """Everybody may list them. `router`: the name of the L3 plugin."""

    router: str

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        """They have no ids."""
        raise ServiceProviderNotFound(identifier)

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        found: list[Attributes] = [{"service_type": "L3_ROUTER_NAT", "name": self.router, "default": True}]
        return [item for item in found if all(item[name] in values for name, values in query.filters.items())]
