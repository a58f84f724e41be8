"""`naas-sdn verify` and `naas-sdn repair`: is what the switches hold what they should, and make it so."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from naas_sdn.commands.options import configured, open_database
from naas_sdn.config import ConfigOpts
from naas_sdn.db import checks
from naas_sdn.db.session import Session
from naas_sdn.errors import ConfigurationError
from naas_sdn.pipeline.tables import Table
from naas_sdn.service import hypervisors

LOOK = 0.1
"""Seconds between looks for an answer."""

VERBS = {"flow missing": ("missing", "add"), "flow changed": ("changed", "write again"),
         "foreign flow": ("foreign", "remove"), "flow doubled": ("doubled", "remove and add"),
         "meter changed": ("missing or changed", "set"), "foreign meter": ("foreign", "remove")}
"""Of each fault: what it is, and what a repair does."""


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both."""
    command = click.option("--host", help="One hypervisor; all that are connected if it is not given.")(command)
    return click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for the controller."
                        )(command)


@click.command()
@configured
@asking
def verify(conf: ConfigOpts, host: str | None, timeout: float) -> None:
    """Compare what the switches hold with what they should, and change nothing. Status 1 when something differs."""
    sys.exit(_ask(conf, host, timeout, False, lambda what: VERBS[what][0]))


@click.command()
@configured
@asking
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def repair(conf: ConfigOpts, host: str | None, timeout: float, dry_run: bool) -> None:
    """Bring the switches back to what they should hold. Status 1 when something differed."""
    sys.exit(_ask(conf, host, timeout, not dry_run,
                  lambda what: f"would {VERBS[what][1]}" if dry_run else VERBS[what][1]))


def _ask(conf: ConfigOpts, host: str | None, timeout: float, mend: bool, tell: Callable[[str], str]) -> int:
    """The exit status. Raises ConfigurationError when no controller answers, HypervisorNotFound."""
    database = open_database(conf)

    def ask(session: Session) -> dict[str, str]:
        hosts = ([hypervisors.by_name(session, host).name] if host is not None
                 else [row.name for row in hypervisors.listed(session) if row.alive])
        return checks.ask(session, hosts, mend)

    asked = database.transact(ask)
    differs = False
    deadline = time.monotonic() + timeout
    left = {identifier: name for name, identifier in asked.items()}
    while left and time.monotonic() < deadline:
        with database.read() as session:
            answers = checks.answered(session, left)
        for identifier, answer in answers.items():
            differs |= _show(left.pop(identifier), answer, tell)
        if not answers:
            time.sleep(LOOK)
    database.transact(lambda session: checks.forget(session, asked.values()))
    if left:
        raise ConfigurationError(f"No controller has answered for {', '.join(left.values())} within {timeout:g} s; "
                                 f"is `naas-sdn serve` running on this database?")
    return int(differs)


def _show(host: str, answer: dict[str, Any], tell: Callable[[str], str]) -> bool:
    """Whether it differs, or cannot be told."""
    if not answer["connected"]:
        click.echo(f"{host}: not connected")
        return True
    if not answer["counts"]:
        click.echo(f"{host}: in step")
        return False
    for fault in answer["faults"]:
        if "meter" in fault:
            text = f"meter {fault['meter']}"
        else:
            table = fault["table"]
            named = f"table={table}({Table(table).name})" if table in list(Table) else f"table={table}"
            text = fault.get("flow") or f"flow {named}"
            text = f"{text} cookie={fault['cookie']}"
        of = " of " + " ".join(fault["object"]) if fault.get("object") else ""
        click.echo(f"{host}: {tell(fault['fault'])}: {text}{of}")
    total = sum(answer["counts"].values())
    if total > len(answer["faults"]):
        click.echo(f"{host}: and {total - len(answer['faults'])} more")
    click.echo(f"{host}: " + ", ".join(f"{count} x {what}" for what, count in answer["counts"].items()))
    return True
