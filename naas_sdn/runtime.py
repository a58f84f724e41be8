"""The hub: green threads, locks and queues, time, signals; the only module that knows eventlet.

os-ken picks its threading model when it is first imported, and eventlet patches the standard
library; `start()` does both and must run before anything imports os-ken or opens a socket.
Everything else in the package uses the few names below.
"""
from __future__ import annotations

import gc
import os
import signal
import socket
import ssl
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

os.environ.setdefault("OSKEN_HUB_TYPE", "eventlet")
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="(?s).*Eventlet is deprecated")
    import eventlet
    import eventlet.event
    import eventlet.patcher
    import eventlet.queue
    import eventlet.semaphore
    import eventlet.tpool
    import eventlet.wsgi


STEPS = 4
_os = eventlet.patcher.original("os")


class GreenThread(Protocol):
    """What `spawn` returns."""

    def kill(self) -> None:
        """End it where it waits."""

    def wait(self) -> Any:
        """Its result, or raises what it raised."""


Queue = eventlet.queue.LightQueue
Empty = eventlet.queue.Empty
Full = eventlet.queue.Full
Semaphore = eventlet.semaphore.Semaphore
Timeout = eventlet.Timeout
Killed = eventlet.greenlet.GreenletExit


def start() -> None:
    """Patch the standard library for cooperation; idempotent."""
    eventlet.monkey_patch()


def spawn(function: Callable[..., Any], *args: Any) -> GreenThread:
    """Run `function(*args)` in a green thread of its own; `.kill()` ends it, `.wait()` joins it."""
    thread: GreenThread = eventlet.spawn(function, *args)
    return thread


def sleep(seconds: float = 0.0) -> None:
    """Let others run for at least `seconds`."""
    eventlet.sleep(seconds)


def in_native_thread(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` in a thread of the system, all green threads going on meanwhile; raises what it raises.

    For what works long without the interpreter's lock. It must not touch anything of the hub's.
    """
    return eventlet.tpool.execute(function, *args)


class Signal:
    """A level-triggered wake-up: any number of `set()` calls make one `wait()` return once."""

    def __init__(self) -> None:
        self._queue: Any = eventlet.queue.LightQueue(1)

    def set(self) -> None:
        if not self._queue.full():
            self._queue.put_nowait(None)

    def wait(self, timeout: float | None = None) -> bool:
        """True when set; False after `timeout` seconds."""
        try:
            self._queue.get(timeout=timeout)
        except Empty:
            return False
        return True


class Future:
    """One value or one exception, delivered once to whoever waits."""

    def __init__(self) -> None:
        self._event = eventlet.event.Event()

    @property
    def done(self) -> bool:
        return bool(self._event.ready())

    def resolve(self, value: Any) -> None:
        if not self._event.ready():
            self._event.send(value)

    def fail(self, error: BaseException) -> None:
        if not self._event.ready():
            self._event.send_exception(error)

    def wait(self, seconds: float) -> Any:
        """The value, or raises the failure, or TimeoutError after `seconds`."""
        with eventlet.Timeout(seconds, TimeoutError(f"no answer within {seconds} s")):
            return self._event.wait()


def listen(host: str, port: int, backlog: int = 512) -> socket.socket:
    """A listening TCP socket (IPv4 or IPv6 by the form of `host`), addresses reusable."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock: socket.socket = eventlet.listen((host, port), family=family, backlog=backlog)
    return sock


def send_now(sock: Any, data: bytes) -> int:
    """How many bytes the socket took without waiting; 0 with TLS, or when it is broken, which the next send tells."""
    if isinstance(sock, ssl.SSLSocket):
        return 0
    try:
        return int(sock.fd.send(data))
    except OSError:
        return 0


def write_now(descriptor: int, data: bytes) -> None:
    """Write what fits, without waiting: the hub's own os.write waits, and for one green thread at a time.

    Raises BrokenPipeError when nobody reads any more.
    """
    with suppress(BlockingIOError):
        _os.write(descriptor, data)


def stepping_back(app: Any) -> Any:
    """The WSGI application, each request letting all other green threads run a few times before it begins.

    One that waits for a switch needs a turn for every message; behind a queue of requests it would wait for all of
    them each time.
    """
    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        for _ in range(STEPS):
            sleep()
        return app(environ, start_response)

    return serve


class _Protocol(eventlet.wsgi.HttpProtocol):  # type: ignore[misc]
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what it tells of is refused lines as the client wrote them, which may hold tokens."""


def serve_wsgi(sock: socket.socket, app: Any, log: Any, connections: int = 256) -> None:
    """Serve a WSGI application on `sock` until killed; `connections` at once, idle ones cut after 30 s."""
    eventlet.wsgi.server(
        sock, app, log=log, log_output=False, socket_timeout=30, keepalive=True, debug=False, protocol=_Protocol,
        custom_pool=eventlet.GreenPool(connections),
    )


def readable(descriptor: int) -> None:
    """Wait until `descriptor` has something to read."""
    eventlet.hubs.trampoline(descriptor, read=True)


def wait_for_signal(*numbers: signal.Signals) -> int:
    """Block this green thread until one of `numbers` arrives and return it.

    A Python handler alone does not interrupt the hub's poll (PEP 475), so the wake-up descriptor does.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    while True:
        readable(reader)
        for received in os.read(reader, 64):
            if received in numbers:
                return received


def freeze_garbage() -> None:
    """Exempt what is loaded from cyclic collection: a full pass over 100,000 flows stalls for 0.3 s."""
    gc.collect()
    gc.freeze()
