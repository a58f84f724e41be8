"""`make demo` and `make run` as a spectator has them: processes of their own, that leave nothing behind."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mininet.lab import eventually


def start(module: str) -> subprocess.Popen[str]:
    # A terminal's programs hear Ctrl-C; those of a test run in the background inherit that it is ignored.
    return subprocess.Popen(["env", "--default-signal=INT", sys.executable, "-m", module], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True, env={**os.environ, "COLUMNS": "160"})


def devices() -> set[str]:
    return set(os.listdir("/sys/class/net"))


def processes_of(directory: Path) -> list[str]:
    """Command lines that name a file of the lab."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:     # ended meanwhile
            continue
        if str(directory) in line:
            found.append(line)
    return found


@pytest.fixture(autouse=True)
def leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No device, process or file of the lab outlives it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = devices()
    yield
    assert devices() <= before
    assert processes_of(tmp_path) == []
    assert not list(tmp_path.glob("naas-lab-*"))


def test_the_demo_shows_what_it_promises() -> None:
    with start("demo") as process:
        printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert "as promised" in printed
    assert " NO " not in printed


def test_ctrl_c_cleans_up(tmp_path: Path) -> None:
    with start("demo") as process:
        eventually(lambda: list(tmp_path.glob("naas-lab-*/naas.db")) and processes_of(tmp_path), "the lab is up", 60)
        os.killpg(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert "cleaned up" in printed


def test_the_playground_has_a_prompt() -> None:
    with start("demo.playground") as process:
        printed, _ = process.communicate("m1 ping -c 1 -W 2 10.0.0.3\nexit\n", timeout=120)
    assert process.returncode == 0, printed
    assert "1 received" in printed
    assert "openstack network list" in printed
