"""What the hub promises."""
from __future__ import annotations

import os
from typing import Any

import pytest

from naas_sdn import runtime


def test_a_request_lets_what_is_under_way_get_on() -> None:
    happened: list[Any] = []

    def wiring() -> None:
        for step in range(runtime.STEPS):
            happened.append(step)
            runtime.sleep()

    def request() -> None:
        runtime.stepping_back(lambda environ, start_response: happened.append(environ))({"asked": 1}, None)

    threads = [runtime.spawn(request), runtime.spawn(wiring)]
    for thread in threads:
        thread.wait()
    assert happened == [*range(runtime.STEPS), {"asked": 1}]


def test_writing_now_never_waits_for_the_reader() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threads = [runtime.spawn(runtime.write_now, writer, bytes(1 << 16)) for _ in range(3)]
    for thread in threads:
        thread.wait()
    assert os.read(reader, 1 << 17) == bytes(1 << 16)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        runtime.write_now(writer, b"x")
    os.close(writer)
