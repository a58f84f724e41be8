"""News that comes often is told seldom, and the last of it always."""
from __future__ import annotations

import pytest

from naas_sdn.southbound import pacing
from naas_sdn.southbound.pacing import Bucket, News
from tests.support.fleet import until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing.time, "monotonic", made.monotonic)
    return made


def test_a_bucket_empties_and_fills(clock: Clock) -> None:
    bucket = Bucket(rate=2.0, size=3.0)
    bucket.draw(3.0)
    assert bucket.wait == 0.0
    bucket.draw(1.0)
    assert bucket.wait == 0.5
    clock.now += 0.5
    assert bucket.wait == 0.0
    clock.now += 1000
    bucket.draw(4.0)
    assert bucket.wait == 0.5, "no more is saved up than fits"
    bucket.draw(1000.0)
    assert bucket.wait == 1.5, "and no more is owed"


def test_news_is_told_at_once_then_seldom_and_the_last_always() -> None:
    state, told = [0], list[int]()
    news = News(lambda: told.append(state[0]), rate=20.0, burst=2)
    for number in range(1, 100):
        state[0] = number
        news.note()
    assert told == [1, 2]
    until(lambda: told[-1] == 99)
    assert len(told) == 3
