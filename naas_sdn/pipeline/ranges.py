"""Ranges of numbers as the masks that match them: a switch compares bits, it does not count."""
from __future__ import annotations

from collections.abc import Iterator


def masks(low: int, high: int, bits: int = 16) -> Iterator[tuple[int, int]]:
    """The fewest (value, mask) that together match `low` to `high`, both included: at most 2 * `bits` - 2 of them.

    In order, without overlaps. Each is the largest aligned block that begins where the last one ended.
    """
    whole = (1 << bits) - 1
    while low <= high:
        size = min(low & -low or whole + 1, 1 << (high - low + 1).bit_length() - 1)
        yield low, whole & ~(size - 1)
        low += size
