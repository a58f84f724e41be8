"""`naas-sdn verify` and `repair` against a running controller and a real Open vSwitch."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.controller import Controller, free_port, run_command
from tests.support.fleet import until
from tests.support.ovs import DummySwitch


class Lab:
    """A controller that looks at nothing by itself but what the switch tells, and hv1."""

    def __init__(self, controller: Controller, ovs: DummySwitch) -> None:
        self.controller = controller
        self.ovs = ovs

    def ask(self, *arguments: str) -> tuple[int, list[str]]:
        """Exit status and lines."""
        done = run_command(*arguments, "--config-file", str(self.controller.config))
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout.splitlines()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory: Path = tmp_path_factory.mktemp("verify")
    controller = Controller(directory, ("127.0.0.1", free_port()), options={"OS_OPENFLOW__CHECK_INTERVAL": "10000",
                                                                           "OS_OPENFLOW__AUDIT_INTERVAL": "10000"})
    for number in (1, 2):
        controller.command("hypervisor", "add", f"hv{number}", "--datapath-id", str(number), "--vtep",
                           f"10.200.0.{number}")
    controller.start()
    with DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs:
        ovs.set_controller(f"tcp:127.0.0.1:{controller.openflow[1]}")
        made = Lab(controller, ovs)
        until(lambda: made.ask("verify") == (0, ["hv1: in step"]), 30)
        yield made
    controller.stop()


def test_who_is_not_there_is_told(lab: Lab) -> None:
    assert lab.ask("verify", "--host", "hv2") == (1, ["hv2: not connected"])
    done = run_command("verify", "--host", "hv3", "--config-file", str(lab.controller.config))
    assert (done.returncode, done.stdout) == (1, "")
    assert "hv3" in done.stderr


def test_a_meter_is_shown_by_a_dry_run_and_repaired(lab: Lab) -> None:
    """No monitor tells of meters, and the next count is seconds away."""
    before = lab.ovs.ofctl("dump-meters")
    lab.ovs.ofctl("add-meter", "meter=4000,kbps,bands=type=drop rate=7")
    status, lines = lab.ask("repair", "--dry-run")
    assert (status, lines[0]) == (1, "hv1: would remove: meter 4000")
    assert "meter=4000" in lab.ovs.ofctl("dump-meters")
    assert lab.ask("repair", "--host", "hv1") == (1, ["hv1: remove: meter 4000", "hv1: 1 x foreign meter"])
    assert lab.ovs.ofctl("dump-meters").splitlines()[1:] == before.splitlines()[1:]
    assert lab.ask("verify") == (0, ["hv1: in step"])


def test_without_a_controller_nobody_answers(tmp_path: Path) -> None:
    absent = Controller(tmp_path, ("127.0.0.1", free_port()))
    absent.command("hypervisor", "add", "hv1", "--datapath-id", "1", "--vtep", "10.200.0.1")
    done = run_command("verify", "--host", "hv1", "--timeout", "0.3", "--config-file", str(absent.config))
    assert done.returncode == 1
    assert "No controller has answered for hv1" in done.stderr
