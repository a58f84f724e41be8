"""Who answers on physical networks for the gateways of external networks: heard in ARP, kept in the database.

Routers' exits ask again and again (apps/nat.py), and what the gateway says by itself is heard too. Only these addresses
are learned, one MAC each, so that strangers on the wire fill nothing.
"""
from __future__ import annotations

import logging
from collections.abc import Collection
from ipaddress import IPv4Address
from typing import NamedTuple

from naas_sdn.apps import wire
from naas_sdn.apps.external import subnets_of
from naas_sdn.db import next_hops
from naas_sdn.db.session import Session
from naas_sdn.engine.reports import Reports
from naas_sdn.model.store import Key, Store, View

LOG = logging.getLogger(__name__)

EXPIRY = 120.0
"""Seconds without a word of a gateway after which nothing is sent to it: four questions."""


class _Place(NamedTuple):
    network_id: str
    ip: IPv4Address


class NextHops:
    """Moments are seconds of a clock that only goes on."""

    def __init__(self, store: Store, reports: Reports) -> None:
        self._store = store
        self._reports = reports
        self._heard: dict[_Place, float] = {}
        self._claims: dict[_Place, int] = {}
        """What has yet to be written; a new word of the same address replaces one that waits."""

    def hear(self, network_key: int, frame: bytes, now: float) -> None:
        """ARP from a physical network."""
        told, view = wire.arp_sender(frame), View(self._store)
        network = view.network_of_key(network_key)
        if told is None or network is None or not told.mac or told.mac & wire.GROUP_BIT:
            return
        place = _Place(network.id, IPv4Address(told.ip))
        if (place.ip in {subnet.gateway for subnet in subnets_of(view, network.id)}
                and not view.ports_of_mac(network.id, told.mac)):
            self._heard[place] = now
            self._claims[place] = told.mac

    def settle(self, listening: Collection[str], now: float) -> None:
        """Write down what is new, and forget who has said nothing.

        `listening`: the external networks on which somebody asks, and is heard.
        """
        claims, self._claims = self._claims, {}
        for place, mac in claims.items():
            known = View(self._store).sighting(*place)
            if known is None or known.mac != mac:
                LOG.info("%s on external network %s is at %012x", place.ip, place.network_id, mac)
                self._write(place, mac)
        known_places = {_Place(*place) for place in self._store.elements(Key("sightings", ""))}
        for place in known_places:
            if place.network_id not in listening:
                self._heard[place] = now
            elif now - self._heard.setdefault(place, now) > EXPIRY:
                LOG.warning("%s on external network %s does not answer any more", place.ip, place.network_id)
                del self._heard[place]
                self._write(place, None)
        self._heard = {place: when for place, when in self._heard.items() if place in known_places or place in claims}

    def _write(self, place: _Place, mac: int | None) -> None:
        def report(session: Session) -> None:
            next_hops.sight(session, place.network_id, str(place.ip), mac)

        self._reports.put(report, lambda: None)
