"""Ranges as masks match what is inside and nothing else, by few masks."""
from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from naas_sdn.pipeline.ranges import masks


def test_every_range_of_a_small_field_is_matched_exactly_and_once() -> None:
    for low, high in combinations_with_replacement(range(64), 2):
        found = list(masks(low, high, 6))
        assert [number for number in range(64) for value, mask in found if number & mask == value] == list(
            range(low, high + 1))
        assert len(found) <= 10


@pytest.mark.parametrize(("low", "high", "expected"), [
    (80, 80, [(80, 0xFFFF)]), (0, 65535, [(0, 0)]), (1024, 65535, [(1 << n, 0xFFFF & ~((1 << n) - 1))
                                                                  for n in range(10, 16)]),
    (8000, 8007, [(8000, 0xFFF8)]), (9, 8, []),
])
def test_ports(low: int, high: int, expected: list[tuple[int, int]]) -> None:
    assert list(masks(low, high)) == expected


def test_the_worst_range_takes_a_number_of_masks_that_is_linear_in_the_bits() -> None:
    assert len(list(masks(1, 65534))) == 30
