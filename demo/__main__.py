"""`make demo`: start the cloud, play the stories, sum up. Exit status 0 when all of it was as promised."""
from __future__ import annotations

import signal
import sys
import time
from functools import partial
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.stage import Stage, heard
from demo.stories import STORIES
from tests.mininet.lab import ApiRefused, Lab, LabFailed
from tests.support.openvswitch import CommandFailed

TENANTS = ("alice", "mallory")
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main() -> int:
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        stage = _play(console)
    except KeyboardInterrupt:
        console.print("\ninterrupted; everything that was started is cleaned up")
        return INTERRUPTED
    except (LabFailed, CommandFailed) as error:
        console.print(f"[red]the demo could not run:[/red] {error}", highlight=False)
        return 2
    _sum_up(stage, console, time.monotonic() - started)
    return 0 if stage.findings and all(finding.ok for finding in stage.findings) else 1


def _play(console: Console) -> Stage:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("two hypervisors and a controller", total=len(STORIES) + 1)
        console.rule("The cloud", align="left")
        lab = Lab(hypervisors=2, tenants=TENANTS, watch=partial(heard, console))
        try:
            lab.start()
            stage = Stage(lab, console)
            for hypervisor in lab.hypervisors:
                stage.tell(f"hypervisor [bold]{hypervisor.name}[/bold]: Open vSwitch {hypervisor.ovs.version()} in a "
                           f"network namespace, datapath {hypervisor.datapath_id}, tunnels from {hypervisor.vtep}")
            stage.tell(f"controller: REST on {lab.controller.url}, OpenFlow on {lab.management}.1:6653, SQLite")
            progress.advance(task)
            for story in STORIES:
                stage.story = (story.__doc__ or story.__name__).strip()
                console.rule(stage.story, align="left")
                progress.update(task, description=stage.story)
                try:
                    story(stage)
                except (AssertionError, ApiRefused, CommandFailed) as error:
                    stage.check("the story comes to its end", str(error) or type(error).__name__, False)
                progress.advance(task)
            return stage
        finally:
            progress.update(task, description="cleaning up")
            # A second Ctrl-C must not leave half of it behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            lab.stop()


def _sum_up(stage: Stage, console: Console, seconds: float) -> None:
    table = Table(title="What was promised and what was seen", title_justify="left")
    for heading in ("story", "what", "measured", ""):
        table.add_column(heading)
    for finding in stage.findings:
        table.add_row(finding.story.split(":")[0], finding.what, finding.measured,
                      "[green]yes[/green]" if finding.ok else "[bold red]NO[/bold red]")
    console.print(table)
    failed = sum(not finding.ok for finding in stage.findings)
    console.print(f"{len(stage.findings) - failed} of {len(stage.findings)} as promised, in {seconds:.0f} s",
                  highlight=False)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
