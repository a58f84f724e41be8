"""What a kind of message is to the fuzzer: seeds, a way to make wrong ones, and whoever reads them."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random

Take = Callable[[bytes], None]
"""Reads one message; raises nothing, or it is a failure."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`make` gives a wrong message; `reader` opens what reads it."""

    name: str
    make: Callable[[Random], bytes]
    reader: Callable[[], AbstractContextManager[Take]]
    share: int
    """Of 10,000 messages."""
    most: float = 0.010
    """Seconds of processor that one message may take."""
    guided: bool = False
    """Fast enough, and with branches enough, that coverage guides well."""
