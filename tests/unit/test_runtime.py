"""What the hub promises."""
from __future__ import annotations

import os

import pytest

from naas_sdn import runtime


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
