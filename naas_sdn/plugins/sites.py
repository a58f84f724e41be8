"""The types of bridge that ship: what each needs to know of the remote site, and what it refuses."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network, ip_address
from typing import Any, ClassVar

from oslo_config import cfg
from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import HypervisorRow
from naas_sdn.errors import InvalidInput
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact
from naas_sdn.plugins.contract import BridgePlugin, Change, Site

VXLAN_PORT = 4789
"""RFC 7348 section 8."""

THIS_NETWORK = IPv4Network("0.0.0.0/8")
"""RFC 1122 section 3.2.1.3."""


class Tunnel(BridgePlugin):
    """A tunnel of `type` to an IPv4 address, told from others by a key from 1 to `largest_key`."""

    name: ClassVar[str]
    largest_key: ClassVar[int]
    realises = frozenset()

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """No option concerns it."""

    def settled(self, session: Session, site: Site) -> Site:
        if site.remote_endpoint is None:
            raise InvalidInput(f"Invalid input for remote_endpoint: a bridge of type {self.name} needs the IPv4 "
                               f"address of the remote site's tunnel end.")
        _require_remote(session, site.remote_endpoint)
        if site.key is None or not 1 <= site.key <= self.largest_key:
            raise InvalidInput(f"Invalid input for key: a bridge of type {self.name} needs one from 1 to "
                               f"{self.largest_key}, the same at both sites.")
        return site

    def check(self, session: Session, change: Change) -> None:
        """All is in the configuration."""

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> None:
        """No kind of fact is realised."""

    def extend(self, session: Session, kind: str, ids: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        return {}


class Vxlan(Tunnel):
    """RFC 7348: a key of 24 bits, on a UDP port."""

    name = "vxlan"
    largest_key = (1 << 24) - 1

    def settled(self, session: Session, site: Site) -> Site:
        return super().settled(session, replace(site, udp_port=site.udp_port or VXLAN_PORT))


class Gre(Tunnel):
    """RFC 2890: a key of 32 bits, straight on IP."""

    name = "gre"
    largest_key = (1 << 32) - 1

    def settled(self, session: Session, site: Site) -> Site:
        if site.udp_port is not None:
            raise InvalidInput("Invalid input for udp_port: GRE is straight on IP; leave it out.")
        return super().settled(session, site)


def _require_remote(session: Session, endpoint: str) -> None:
    """Raises InvalidInput, for the cloud's own tunnel ends in the same words as for addresses that nobody has."""
    address = ip_address(endpoint)
    if address.version != 4:
        raise InvalidInput(f"Invalid input for remote_endpoint: {endpoint} is no IPv4 address.")
    nobodys = (address.is_multicast or address.is_loopback or address.is_link_local or address.is_reserved
               or address in THIS_NETWORK)
    if nobodys or session.scalar(select(HypervisorRow.id).where(HypervisorRow.vtep == endpoint)) is not None:
        raise InvalidInput(f"Invalid input for remote_endpoint: {endpoint} is no address of a remote site.")
