"""The numbers of meters: none twice, and none that Open vSwitch does not take."""
from __future__ import annotations

from itertools import product

from naas_sdn.pipeline.program import Meter, Police
from naas_sdn.service.plugging import LAST_SLOT


def test_no_two_uses_have_one_number() -> None:
    slots = (0, 1, 2, 3, 4, 5, LAST_SLOT // 2, LAST_SLOT - 1, LAST_SLOT)
    numbers = [Meter.numbered(slot, use) for slot, use in product(slots, Police)]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 262144
    lower = max(Meter.numbered(LAST_SLOT, use) for use in Police if use < Police.FROM_PACKETS)
    assert lower < Meter.numbered(0, Police.FROM_PACKETS)
