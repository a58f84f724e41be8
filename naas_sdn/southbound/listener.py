"""Our own OpenFlow listener: TLS by option, a deadline for strangers, and a limit to how many of them there are."""
from __future__ import annotations

import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from naas_sdn import runtime
from naas_sdn.errors import ConfigurationError
from naas_sdn.southbound.connection import Connection
from naas_sdn.southbound.guard import Malformed

LOG = logging.getLogger(__name__)

REFUSALS = 400
"""Connections a second that are accepted only to be closed; others wait in the kernel."""

LOOK = 0.05
"""Seconds between looks at who is still a stranger."""

QUIET = 10.0
"""Seconds in which one reason to refuse is logged once; the rest is counted."""


def tls_context(options: Any) -> ssl.SSLContext | None:
    """From the options of [openflow]; None when switches come without TLS. Raises ConfigurationError."""
    given = [name for name in ("certificate", "key", "ca") if options[name]]
    if not given:
        return None
    if len(given) < 3:
        raise ConfigurationError("[openflow] TLS needs certificate, key and ca; only "
                                 f"{' and '.join(given)} is set.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.certificate, options.key)
        context.load_verify_locations(options.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"[openflow] TLS files cannot be used: {error}.") from error
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class Listener:
    """Accepts until `stop()`. `counts` says how many were refused, by reason."""

    def __init__(self, conf: cfg.ConfigOpts, ready: Callable[[Connection], None]) -> None:
        options = conf.openflow
        self.counts: Counter[str] = Counter()
        self._ready = ready
        self._tls = tls_context(options)
        self._deadline = options.handshake_timeout
        self._limit = options.half_open
        self._strangers = 0
        self._strange: dict[Connection, float] = {}
        """When the time of each is over."""
        self._logged: dict[str, float] = {}
        self._connections: set[Connection] = set()
        self._socket = runtime.listen(options.host, options.port)
        self._threads = (runtime.spawn(self._accept), runtime.spawn(self._watch))

    @property
    def port(self) -> int:
        """The bound one."""
        number: int = self._socket.getsockname()[1]
        return number

    def stop(self) -> None:
        for thread in self._threads:
            thread.kill()
        self._socket.close()
        for connection in list(self._connections):
            connection.end("the controller stops")

    def refuse(self, reason: str, address: Any, detail: str) -> None:
        """Count it, and log it unless the same was just logged."""
        self.counts[reason] += 1
        moment = time.monotonic()
        if moment - self._logged.get(reason, -QUIET) >= QUIET:
            self._logged[reason] = moment
            LOG.warning("refused %s (%s): %s; %d in all", address[0], reason, detail, self.counts[reason])

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._socket.accept()
            except OSError as error:
                LOG.error("accepting switches: %s", error)
                runtime.sleep(0.1)
                continue
            if self._strangers >= self._limit:
                self.refuse("half-open", address, f"{self._limit} connections have not identified themselves yet")
                sock.close()
                runtime.sleep(1 / REFUSALS)
            else:
                runtime.spawn(self._serve, sock, address)
                # Many may be waiting, and accepting them does not wait.
                runtime.sleep()

    def _serve(self, sock: Any, address: Any) -> None:
        self._strangers += 1
        connection: Connection | None = None
        try:
            with runtime.Timeout(self._deadline, TimeoutError("TLS took too long")):
                if self._tls is not None:
                    sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                    sock.do_handshake()
            connection = Connection(sock, address, self._ready)
            self._connections.add(connection)
            self._strange[connection] = time.monotonic() + self._deadline
            connection.serve()
        except Malformed as error:
            self.refuse("malformed", address, str(error))
        except (OSError, TimeoutError) as error:
            self.refuse("tls" if connection is None else "connection", address, str(error))
        except Exception:
            LOG.exception("connection of %s", address[0])
        finally:
            if connection is None:
                self._strangers -= 1
            else:
                self._connections.discard(connection)
                self._is_known(connection)
            sock.close()

    def _is_known(self, connection: Connection) -> None:
        """Or gone: it counts as a stranger no more."""
        if self._strange.pop(connection, None) is not None:
            self._strangers -= 1

    def _watch(self) -> None:
        """Close what has not been admitted in time."""
        while True:
            runtime.sleep(LOOK)
            now = time.monotonic()
            for connection, end in list(self._strange.items()):
                if connection.is_active and not connection.admitted and now < end:
                    continue
                self._is_known(connection)
                if connection.is_active and not connection.admitted:
                    self.refuse("silent", connection.address, "no HELLO and features reply in time")
                    connection.end("it did not identify itself in time")
                    runtime.sleep()
