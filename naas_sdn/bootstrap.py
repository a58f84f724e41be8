"""The only wiring: options -> database -> plugins -> engine -> REST and southbound, and the order to stop in."""
from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from oslo_config import cfg

from naas_sdn import nova, runtime
from naas_sdn.commands.options import open_database
from naas_sdn.db import postgresql
from naas_sdn.db.session import Database
from naas_sdn.engine.desk import Desk
from naas_sdn.engine.engine import Engine
from naas_sdn.engine.ledger import Ledger
from naas_sdn.engine.patrol import Patrol
from naas_sdn.plugins.contract import Plugins
from naas_sdn.plugins.dispatcher import Dispatcher
from naas_sdn.plugins.openflow import OpenFlow
from naas_sdn.plugins.registry import load_plugins
from naas_sdn.rest.wsgi import application
from naas_sdn.service.catalog import resources
from naas_sdn.southbound import codec
from naas_sdn.southbound.app import Southbound

LOG = logging.getLogger(__name__)

RESPAWN = 1.0
"""Seconds between looks at the API processes."""


def serve(conf: cfg.ConfigOpts, config_files: Sequence[str]) -> None:
    """Run the controller until SIGTERM or SIGINT."""
    database = open_database(conf)
    where = postgresql.parse(conf.database.connection)
    if where is not None:
        postgresql.advise(where)
    plugins = load_plugins(conf)
    # Made with API processes too, for what it cannot be made of would end each of them again and again.
    app = _api(database, plugins, conf)
    engine = _engine(database, plugins, conf)
    dispatcher = Dispatcher(database, plugins.realisers())
    dispatcher.on_requests.append(engine.because)
    database.on_commit.append(dispatcher.nudge)
    LOG.info("%d objects", dispatcher.load())
    runtime.freeze_garbage()
    threads = [runtime.spawn(dispatcher.run)]
    api = runtime.listen(conf.api.host, conf.api.port)
    workers = None
    if conf.api.workers:
        workers = ApiWorkers(conf.api.workers, api, config_files, dispatcher.nudge)
    else:
        wsgi = runtime.stepping_back(app)
        threads.append(runtime.spawn(runtime.serve_wsgi, api, wsgi, logging.getLogger("naas_sdn.http")))
    southbound = Southbound(conf, engine)
    ledger = Ledger(database, engine.compiler, engine.switches, conf.statistics.interval)
    options = conf.openflow
    patrol = Patrol(lambda: engine.sessions().values(), options.check_interval, options.audit_interval,
                    options.audit_share)
    threads += [runtime.spawn(patrol.check), runtime.spawn(patrol.audit), runtime.spawn(Desk(database, engine).run)]
    threads += [runtime.spawn(ledger.run), runtime.spawn(engine.forget_absent), runtime.spawn(engine.watch),
                runtime.spawn(engine.shed_idle, conf.openflow.wide_idle), runtime.spawn(engine.announce)]
    if conf.nova.events:
        threads.append(runtime.spawn(nova.Announcer(database, nova.poster(conf), conf.nova.interval).run))
    LOG.info("REST on %s port %d, OpenFlow on %s port %d", conf.api.host, api.getsockname()[1], conf.openflow.host,
             southbound.port)
    number = runtime.wait_for_signal(signal.SIGTERM, signal.SIGINT)
    LOG.info("%s: stopping", signal.Signals(number).name)
    # Switches keep their flows: what is here is only forgotten.
    if workers is not None:
        workers.stop()
    southbound.stop()
    for thread in threads:
        thread.kill()
    dispatcher.close()
    api.close()
    database.close()


def serve_api(conf: cfg.ConfigOpts, listener: int, nudge: int) -> None:
    """One API process: serve the inherited socket `listener`, and write a byte to `nudge` after each commit.

    It ends with the controller, whose end of its standard input closes then.
    """
    os.set_blocking(nudge, False)

    def tell() -> None:
        with suppress(BrokenPipeError):     # the controller is gone, and this process soon
            runtime.write_now(nudge, b"\n")

    def follow() -> None:
        runtime.readable(sys.stdin.fileno())
        os.kill(os.getpid(), signal.SIGTERM)

    database = Database(conf.database.connection, announcing=conf.nova.events)
    database.on_commit.append(tell)
    plugins = load_plugins(conf)
    wsgi = _api(database, plugins, conf)
    sock = socket.socket(fileno=listener)
    thread = runtime.spawn(runtime.serve_wsgi, sock, wsgi, logging.getLogger("naas_sdn.http"))
    runtime.spawn(follow)
    runtime.freeze_garbage()
    runtime.wait_for_signal(signal.SIGTERM, signal.SIGINT)
    thread.kill()
    database.close()


def _api(database: Database, plugins: Plugins, conf: cfg.ConfigOpts) -> Callable[..., Iterable[bytes]]:
    served = resources(plugins, conf)
    return application(database, served, plugins, conf)


class ApiWorkers:
    """API processes on one socket and one database; one that dies is replaced."""

    def __init__(self, count: int, listener: socket.socket, config_files: Sequence[str],
                 nudge: Callable[[], None]) -> None:
        self._listener = listener
        self._config = [argument for path in config_files for argument in ("--config-file", path)]
        self._reader, self._writer = os.pipe()
        self._processes = [self._start() for _ in range(count)]
        self._threads = [runtime.spawn(self._follow, nudge), runtime.spawn(self._replace)]

    def stop(self) -> None:
        for thread in self._threads:
            thread.kill()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        os.close(self._reader)
        os.close(self._writer)

    def _start(self) -> subprocess.Popen[bytes]:
        number = self._listener.fileno()
        return subprocess.Popen(
            [sys.executable, "-m", "naas_sdn", "api-worker", *self._config, "--listener", str(number),
             "--nudge", str(self._writer)],
            pass_fds=(number, self._writer), stdin=subprocess.PIPE)

    def _follow(self, nudge: Callable[[], None]) -> None:
        while True:
            runtime.readable(self._reader)
            os.read(self._reader, 4096)
            nudge()

    def _replace(self) -> None:
        while True:
            runtime.sleep(RESPAWN)
            for index, process in enumerate(self._processes):
                if process.poll() is not None:
                    LOG.error("API process %d ended with status %d", process.pid, process.returncode)
                    self._processes[index] = self._start()


def _engine(database: Database, plugins: Plugins, conf: cfg.ConfigOpts) -> Engine:
    """The engine of the OpenFlow plugins among `plugins`."""
    ours = [plugin for plugin in plugins.realisers() if isinstance(plugin, OpenFlow)]
    engine = Engine(database, [app for plugin in ours for app in plugin.apps()], codec.add_flow,
                    auto_register=conf.openflow.auto_register, widest=conf.openflow.wide_network)
    for plugin in ours:
        plugin.realise_by(engine.apply)
    return engine
