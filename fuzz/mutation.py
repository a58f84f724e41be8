"""Wrong messages out of right ones: bits, numbers, pieces, and the elements of lists of type-length-values."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

LONGEST = 65_535
"""Bytes of a message; longer ones are cut."""

STORM = 400
"""Copies of one piece at most."""

_BOUNDS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 0x7F, 0x80, 0xFE, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)


@dataclass(frozen=True, slots=True)
class Elements:
    """A list of type-length-values in a message.

    It begins `start` bytes into the message; each element's length stands `at` bytes into it, `width` bytes wide, and
    counts what follows the first `head` bytes, or everything when `head` is 0. Elements are padded to `pad`.
    """

    start: int
    at: int
    width: int
    head: int
    pad: int = 1

    def split(self, message: bytes | bytearray) -> list[tuple[int, int]]:
        """Offset and size of each, until the end or one that cannot be."""
        found = []
        offset = self.start
        while offset + self.at + self.width <= len(message):
            size = self.head + int.from_bytes(message[offset + self.at:offset + self.at + self.width])
            size = -(-size // self.pad) * self.pad
            if size == 0 or offset + size > len(message):
                break
            found.append((offset, size))
            offset += size
        return found


@dataclass(frozen=True, slots=True)
class Seed:
    """A right message, and the lists in it."""

    message: bytes
    lists: tuple[Elements, ...] = ()


def mutate(chance: Random, seed: Seed, others: Sequence[Seed]) -> bytes:
    """One to four changes to `seed`, which may take pieces of `others`."""
    message = bytearray(seed.message)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        if seed.lists and chance.random() < 0.4:
            _element(chance, message, chance.choice(seed.lists))
        elif chance.random() < 0.08:
            _splice(chance, message, chance.choice(others).message)
        else:
            chance.choice(_CHANGES)(chance, message)
    return bytes(message[:LONGEST])


def _somewhere(chance: Random, message: bytearray) -> int:
    return chance.randrange(len(message)) if message else 0


def _bits(chance: Random, message: bytearray) -> None:
    for _ in range(chance.randint(1, 4)):
        if message:
            message[_somewhere(chance, message)] ^= 1 << chance.randrange(8)


def _byte(chance: Random, message: bytearray) -> None:
    at = _somewhere(chance, message)
    message[at:at + 1] = bytes((chance.choice(_BOUNDS) & 0xFF,))


def _word(chance: Random, message: bytearray) -> None:
    at = _somewhere(chance, message) & ~1
    message[at:at + 2] = chance.choice(_BOUNDS).to_bytes(2)


def _near(chance: Random, message: bytearray) -> None:
    """Lengths that are wrong by a little."""
    at = _somewhere(chance, message) & ~1
    near = int.from_bytes(message[at:at + 2]) + chance.choice((-8, -4, -2, -1, 1, 2, 4, 8))
    message[at:at + 2] = (near & 0xFFFF).to_bytes(2)


def _long(chance: Random, message: bytearray) -> None:
    at, size = _somewhere(chance, message) & ~3, chance.choice((4, 8))
    message[at:at + size] = bytes((chance.choice((0, 0x7F, 0x80, 0xFF)),)) * size


def _cut(chance: Random, message: bytearray) -> None:
    del message[_somewhere(chance, message):]


def _grow(chance: Random, message: bytearray) -> None:
    message += chance.randbytes(chance.choice((1, 2, 3, 4, 8, 64, 1500)))


def _delete(chance: Random, message: bytearray) -> None:
    at = _somewhere(chance, message)
    del message[at:at + chance.choice((1, 2, 4, 8, 16, 64))]


def _double(chance: Random, message: bytearray) -> None:
    at = _somewhere(chance, message)
    piece = message[at:at + chance.choice((1, 2, 4, 8, 16, 64))]
    message[at:at] = piece * (chance.randint(1, STORM) if chance.random() < 0.05 else 1)


def _swap(chance: Random, message: bytearray) -> None:
    size = chance.choice((1, 2, 4, 8))
    one, two = _somewhere(chance, message), _somewhere(chance, message)
    message[one:one + size], message[two:two + size] = message[two:two + size], message[one:one + size]


def _noise(chance: Random, message: bytearray) -> None:
    at, size = _somewhere(chance, message), chance.choice((1, 2, 4, 8, 32))
    message[at:at + size] = chance.randbytes(size)


_CHANGES: tuple[Callable[[Random, bytearray], None], ...] = (
    _bits, _byte, _word, _near, _long, _cut, _grow, _delete, _double, _swap, _noise)


def _splice(chance: Random, message: bytearray, other: bytes) -> None:
    """The beginning of one, the end of the other."""
    message[_somewhere(chance, message):] = other[chance.randrange(len(other)) if other else 0:]


def _element(chance: Random, message: bytearray, of: Elements) -> None:
    """Drop, double, multiply, move, cut or lie about one element of a list."""
    elements = of.split(message)
    if not elements:
        return
    offset, size = chance.choice(elements)
    whole = message[offset:offset + size]
    match chance.randrange(7):
        case 0:
            del message[offset:offset + size]
        case 1:
            message[offset:offset] = whole
        case 2:
            message[offset:offset] = whole * chance.randint(2, STORM)
        case 3:
            del message[offset:offset + size]
            where, _ = chance.choice(elements)
            message[where:where] = whole
        case 4:
            del message[offset + chance.randrange(size):offset + size]
        case 5:
            message[offset:offset + of.at] = chance.randbytes(of.at)
        case _:
            length = chance.choice((*_BOUNDS, size - 1, size + 1)) & (1 << 8 * of.width) - 1
            message[offset + of.at:offset + of.at + of.width] = length.to_bytes(of.width)
