"""A short run of the fuzzer (`make fuzz` has the long one): no failure, no hang, nothing that grows."""
from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from fuzz.kind import Kind, Take
from fuzz.kinds import KINDS
from fuzz.mutation import Elements, mutate
from fuzz.recorded import seeds
from fuzz.run import run

SHORT = 50_000
"""Messages of all kinds together."""


@pytest.fixture(autouse=True)
def aside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What fails is stored elsewhere, what is refused is not logged."""
    monkeypatch.setattr("fuzz.run.FOUND", tmp_path / "found")
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_short_run(kind: Kind) -> None:
    messages = SHORT * kind.share // 10_000
    outcome = run(kind, "tests", messages)
    assert outcome.failures == []
    assert outcome.messages == messages
    assert outcome.growth < 10 << 20


def test_every_message_counts() -> None:
    assert sum(kind.share for kind in KINDS) == 10_000


def test_equal_seeds_make_equal_messages() -> None:
    for kind in KINDS:
        one, two = Random(3), Random(3)
        assert [kind.make(one) for _ in range(50)] == [kind.make(two) for _ in range(50)]


def test_mutations_differ_from_their_seeds() -> None:
    known, chance = seeds(), Random(1)
    assert sum(mutate(chance, seed, known) != seed.message for seed in known for _ in range(20)) > 15 * len(known)


def test_elements_are_found() -> None:
    options = Elements(start=2, at=1, width=1, head=2)
    assert options.split(b"xx" b"\x0c\3abc" b"\x35\1\1" b"\xff") == [(2, 5), (7, 3)]
    padded = Elements(start=0, at=2, width=2, head=0, pad=8)
    assert padded.split(b"\0\1\0\6ab\0\0" b"\0\1\0\0") == [(0, 8)]


def reader(fails: str) -> Kind:
    """One that does not take what it should."""
    kept: list[bytes] = []

    @contextmanager
    def opened() -> Iterator[Take]:
        def take(message: bytes) -> None:
            if fails == "crash":
                raise IndexError("bad")
            if fails == "grows":
                kept.append(bytes(200_000))
            while fails == "hangs":
                pass

        yield take

    return replace(KINDS[0], reader=opened)


@pytest.mark.parametrize(("fails", "text"), [("crash", "IndexError: bad"), ("hangs", "Hang")])
def test_a_failure_is_found_and_stored(fails: str, text: str, tmp_path: Path) -> None:
    outcome = run(reader(fails), "tests", 1)
    assert text in outcome.failures[0]
    [stored] = (tmp_path / "found").iterdir()
    assert bytes.fromhex(stored.read_text()) == KINDS[0].make(Random(f"{KINDS[0].name} tests"))


def test_growth_is_found() -> None:
    assert run(reader("grows"), "tests", 200).growth > 10 << 20
