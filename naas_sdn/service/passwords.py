"""Passwords: kept as scrypt hashes (RFC 7914), checked without stopping the hub, one at a time and not twice.

A check costs a fifth of a second of one core on purpose. So what was found is remembered for a while, those who ask the
same at the same time share one answer, and only so many wait. Names that nobody has cost just as much.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from naas_sdn import runtime
from naas_sdn.errors import InvalidInput, ServiceUnavailable

LOG = logging.getLogger(__name__)

COST, BLOCK, PARALLEL = 1 << 14, 8, 5
"""OWASP's password storage cheat sheet, of equal strength with its 128 MiB but in 16."""

SALT, DIGEST = 16, 32
"""Bytes."""

MEMORY = 64 << 20
"""Bytes that one hash may take."""

SHORTEST, LONGEST = 8, 1024
"""Characters of a password."""

MOST_WAITING, MOST_OF_ONE_SOURCE = 64, 32
"""Passwords that wait for their check, of all and of one address."""

REMEMBERED = 4096
"""Right passwords, and as many wrong ones."""

RIGHT_FOR, WRONG_FOR = 600.0, 5.0
"""Seconds for which it is remembered that a password was right, or wrong."""

WAIT = 60.0
"""Seconds for somebody else's check of the same, far more than a full queue takes."""


def hashed(password: str) -> str:
    """What is stored. Raises InvalidInput for one that cannot be sent (RFC 7617 section 2), or is guessed easily."""
    if not SHORTEST <= len(password) <= LONGEST or not password.isprintable():
        raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} printable characters.")
    salt = secrets.token_bytes(SALT)
    return _stored(salt, _scrypt(password, salt, COST, BLOCK, PARALLEL))


def matches(password: str, stored: str) -> bool:
    """Whether `stored` is of this password; the same time for any. Raises ValueError for what `hashed` did not make."""
    scheme, cost, block, parallel, salt, digest = stored.split("$")
    if scheme != "scrypt":
        raise ValueError(f"unknown scheme {scheme}")
    made = _scrypt(password, base64.b64decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(made, base64.b64decode(digest))


def _stored(salt: bytes, digest: bytes) -> str:
    return "$".join(("scrypt", str(COST), str(BLOCK), str(PARALLEL),
                     base64.b64encode(salt).decode(), base64.b64encode(digest).decode()))


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(password.encode(errors="replace"), salt=salt, n=cost, r=block, p=parallel, maxmem=MEMORY,
                          dklen=DIGEST)


class Checker:
    """Of one process. `run` calls a function elsewhere, so that others go on meanwhile."""

    def __init__(self, run: Callable[..., bool] = runtime.in_native_thread) -> None:
        self._run = run
        # Of no password at all; to find that takes as long as for anybody's.
        self._nobody = _stored(secrets.token_bytes(SALT), secrets.token_bytes(DIGEST))
        self._secret = secrets.token_bytes(32)
        self._right, self._wrong = _Memory(RIGHT_FOR), _Memory(WRONG_FOR)
        self._under_way: dict[bytes, runtime.Future] = {}
        self._sources: Counter[str] = Counter()
        self._turn = runtime.Semaphore(1)

    def check(self, name: str, password: str, stored: str | None, source: str) -> bool:
        """Whether it is the password that `stored` is of; of nobody, when that is None.

        `source`: the address that asks. A password that is no longer the stored one is asked anew, for what is stored
        is part of what is remembered. Raises ServiceUnavailable when too many wait.
        """
        key = self._key(name, password, stored)
        if key in self._right:
            return True
        if key in self._wrong:
            return False
        if key in self._under_way:
            return bool(self._under_way[key].wait(WAIT))
        if len(self._under_way) >= MOST_WAITING or self._sources[source] >= MOST_OF_ONE_SOURCE:
            raise ServiceUnavailable("Too many passwords wait to be checked; try again, or use a token.")
        answer = self._under_way[key] = runtime.Future()
        self._sources[source] += 1
        try:
            with self._turn:
                right = self._run(matches, password, stored or self._nobody) and stored is not None
            (self._right if right else self._wrong).add(key)
            if not right:
                LOG.warning("A password for user %r from %s is wrong", name[:255], source or "nowhere")
            answer.resolve(right)
        except BaseException as error:
            answer.fail(error)
            raise
        finally:
            del self._under_way[key]
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]
        return right

    def _key(self, name: str, password: str, stored: str | None) -> bytes:
        """By a secret of this process, so that what is remembered helps nobody to guess."""
        parts = [part.encode(errors="replace") for part in (name, password, stored or "")]
        return hashlib.blake2b(b"".join(len(part).to_bytes(4, "big") + part for part in parts),
                               key=self._secret, digest_size=32).digest()


class _Memory:
    """Keys, each for `seconds`; the oldest go when there are too many."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        return self._until.get(key, 0.0) > time.monotonic()

    def add(self, key: bytes) -> None:
        self._until.pop(key, None)
        self._until[key] = time.monotonic() + self._seconds
        while len(self._until) > REMEMBERED:
            self._until.popitem(last=False)
