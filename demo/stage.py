"""What a story has to work with: the cloud, a voice, and a list of what was found."""
from __future__ import annotations

from dataclasses import dataclass, field

import requests
from rich.console import Console
from rich.markup import escape

from tests.mininet.lab import VM, Api, Hypervisor, Lab


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a story looked at; `measured` is what was seen."""

    story: str
    what: str
    measured: str
    ok: bool


@dataclass(slots=True)
class Stage:
    lab: Lab
    console: Console
    findings: list[Finding] = field(default_factory=list)
    story: str = ""

    @property
    def operator(self) -> Api:
        return self.lab.operator

    @property
    def hypervisors(self) -> list[Hypervisor]:
        return self.lab.hypervisors

    def tell(self, text: str) -> None:
        """A sentence of the account."""
        self.console.print(f"  {text}", highlight=False)

    def check(self, what: str, measured: str, ok: bool) -> None:
        """Say what was found, and keep it for the summary."""
        self.findings.append(Finding(self.story, what, measured, ok))
        mark = "[green]yes[/green]" if ok else "[bold red]NO[/bold red]"
        self.console.print(f"    {mark}  {escape(what)}: [cyan]{escape(measured)}[/cyan]", highlight=False)

    def machine(self, name: str, api: Api, hypervisor: Hypervisor, port: dict[str, object],
                static: bool = True) -> VM:
        """Run a machine on `api`'s tenant's port, with Mininet."""
        machine = self.lab.vm(name, port, hypervisor, static=static)
        self.tell(f"machine [bold]{name}[/bold] runs on {hypervisor.name} with {machine.mac}"
                  + (f" and {machine.ip}" if machine.ip else "") + f", port ACTIVE, owner {api.name}")
        return machine


def heard(console: Console, answer: requests.Response) -> None:
    """Show what was asked of the API, reading apart."""
    if answer.request.method != "GET":
        path = str(answer.request.path_url)
        console.print(f"    [dim]{answer.request.method} {escape(path)} -> {answer.status_code}[/dim]", highlight=False,
                      soft_wrap=True)
