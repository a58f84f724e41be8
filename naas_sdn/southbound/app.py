"""The one os-ken application: os-ken's handshake, then who is it, is he admitted, and is he alive."""
from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from typing import Any

from os_ken.base.app_manager import AppManager
from os_ken.controller.ofp_handler import OFPHandler
from os_ken.ofproto import ofproto_v1_3
from oslo_config import cfg

from naas_sdn import runtime
from naas_sdn.engine.contract import Disconnected, Fleet, Identity
from naas_sdn.errors import NaasError
from naas_sdn.southbound import codec
from naas_sdn.southbound.connection import Connection
from naas_sdn.southbound.guard import Malformed
from naas_sdn.southbound.listener import Listener
from naas_sdn.southbound.pacing import Bucket, News
from naas_sdn.southbound.switch import OpenFlowSwitch

LOG = logging.getLogger(__name__)

NEWS, NEWS_AT_ONCE = 5.0, 20
"""A second, and saved up: reports of changed ports, or of foreign changes, of one switch."""

COMING, COMING_AT_ONCE = 0.5, 10
"""A second, and saved up: connections of one datapath."""


class OpenFlowApp(OFPHandler):  # type: ignore[misc]
    """os-ken's own handshake handlers, without the listener that they come with."""

    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def start(self) -> None:
        """The Listener brings connections instead."""


class Southbound:
    """All switches of one controller."""

    def __init__(self, conf: cfg.ConfigOpts, fleet: Fleet) -> None:
        self._fleet = fleet
        self._options = conf.openflow
        self._live: dict[int, Connection] = {}
        self._coming: dict[str, Bucket] = {}
        """By the name of a hypervisor that was admitted."""
        self._manager = AppManager()
        self._manager.instantiate(OpenFlowApp)
        self._listener = Listener(conf, self._identify)
        self._prober = runtime.spawn(self._probe)

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def counts(self) -> Counter[str]:
        """Refused connections by reason."""
        return self._listener.counts

    def stop(self) -> None:
        self._prober.kill()
        self._listener.stop()
        self._manager.close()

    def _identify(self, connection: Connection) -> None:
        """In a green thread of its own, after the features reply."""
        try:
            parts = connection.ask(codec.description_request())
            identity = Identity(connection.id, codec.description(b"".join(parts)), _common_name(connection.socket),
                                str(connection.address[0]))
            if identity.datapath_id in self._live:
                # The one that is there stays: else whoever claims its name would take its place.
                self._refuse(connection, "duplicate", f"datapath {identity.datapath_id:016x} is connected already")
                return
            host = self._fleet.admit(identity)
        except NaasError as error:
            if connection.is_active:
                self._refuse(connection, "not admitted", str(error))
            return
        except (Malformed, TimeoutError) as error:
            self._refuse(connection, "malformed", str(error))
            return
        except Exception:
            LOG.exception("identifying %s", connection.address[0])
            connection.end("an error in the controller")
            return
        coming = self._coming.setdefault(host, Bucket(COMING, COMING_AT_ONCE))
        if coming.wait:
            self._refuse(connection, "restless", f"hypervisor {host} connects again and again")
            return
        coming.draw(1)
        self._admit(connection, OpenFlowSwitch(connection, host), identity)

    def _admit(self, connection: Connection, switch: OpenFlowSwitch, identity: Identity) -> None:
        if not connection.is_active:
            return
        LOG.info("hypervisor %s is connected from %s", switch.host, identity.address)
        self._live[identity.datapath_id] = connection
        connection.admitted = True

        def gone() -> None:
            LOG.info("hypervisor %s is disconnected: %s", switch.host, connection.why)
            if self._live.get(identity.datapath_id) is connection:
                del self._live[identity.datapath_id]
            self._fleet.disconnected(switch)

        def changed() -> None:
            flows, connection.changes = connection.changes, set()
            self._fleet.changed_behind(switch, flows)

        connection.on_close = gone
        connection.on_packet_in = lambda punt: self._fleet.packet_in(switch, punt)
        connection.on_ports = News(lambda: self._fleet.links(switch, switch.links()), NEWS, NEWS_AT_ONCE).note
        connection.on_foreign_change = News(changed, NEWS, NEWS_AT_ONCE).note
        connection.post(codec.monitor_request())
        self._fleet.connected(switch, switch.links())

    def _probe(self) -> None:
        """Echo requests (OpenFlow 1.3.5 section 6.4): a switch of which nothing is heard after some is dead."""
        while True:
            runtime.sleep(self._options.echo_interval)
            for connection in list(self._live.values()):
                if connection.unanswered >= self._options.echo_misses:
                    connection.end(f"{connection.unanswered} echo requests were not answered")
                    continue
                with suppress(Disconnected):
                    connection.probe()
                runtime.sleep()

    def _refuse(self, connection: Connection, reason: str, detail: str) -> None:
        self._listener.refuse(reason, connection.address, detail)
        connection.end(detail)


def _common_name(sock: Any) -> str | None:
    """Of the peer's certificate; None without TLS."""
    read = getattr(sock, "getpeercert", None)
    certificate = read() if read is not None else None
    if not certificate:
        return None
    for part in certificate.get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return ""
