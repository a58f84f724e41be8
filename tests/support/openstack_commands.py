"""The `openstack` command, many times over: its code is read once, and each command is a process of its own.

    python -m tests.support.openstack_commands DIRECTORY

Each line of the input is a JSON list of its words, each line of the output {"status", "out", "err"}. A child forked for
each command runs the very function that the installed command runs; by itself it takes 1 s to begin.
"""
from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any

GROUP = "openstack.network.v2"
ROOT = Path(__file__).parent.parent.parent


def names() -> set[str]:
    """The commands about networks that the package has, in words."""
    return {point.name.replace("_", " ") for point in entry_points(group=GROUP)}


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did; `status` is 0 when all went well."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class OpenStack:
    """Says commands to a process that `opened` made; `options` go before each command's words."""

    _input: IO[str]
    _output: IO[str]
    _options: tuple[str, ...] = ()

    def with_options(self, *options: str) -> OpenStack:
        """The same process, for somebody else."""
        return replace(self, _options=options)

    def run(self, *words: str) -> Done:
        """Whatever comes of it."""
        self._input.write(json.dumps([*self._options, *words]) + "\n")
        self._input.flush()
        return Done(**json.loads(self._output.readline()))


@contextmanager
def opened(directory: Path, **environment: str) -> Iterator[OpenStack]:
    """`environment` beside this process's own, of which nothing is left that the command reads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    with subprocess.Popen([sys.executable, "-W", "ignore", "-m", "tests.support.openstack_commands", str(directory)],
                          cwd=ROOT, env={**kept, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield OpenStack(process.stdin, process.stdout)
        # It ends when its input does.
        process.stdin.close()
        process.wait(timeout=30)


def serve(directory: Path) -> None:
    """Until the input ends."""
    # Imported before the first fork, so that children find it read already.
    shell = importlib.import_module("openstackclient.shell")
    commands = [point.load() for point in entry_points(group=GROUP)]
    # It asks once a process which package a command is of, which takes as long as all else.
    commands[0](None, None).get_parser("openstack")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(shell.main, json.loads(line), directory)) + "\n")
        sys.stdout.flush()


def _run(main: Any, words: list[str], directory: Path) -> dict[str, Any]:
    files = {1: directory / "out", 2: directory / "err"}
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for number, path in files.items():
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            try:
                status = main(words)
            except SystemExit as end:
                status = int(end.code or 0)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"status": status, "out": files[1].read_text(), "err": files[2].read_text()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(Path(sys.argv[1]))
