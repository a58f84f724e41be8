"""A Compiler whose programs can be read as flows."""
from __future__ import annotations

from collections.abc import Iterable

from naas_sdn.apps.contract import App
from naas_sdn.engine.compiler import WIDEST, Compiler
from naas_sdn.pipeline.flow import Flow
from naas_sdn.pipeline.program import Compiled, FlowMod, Program
from naas_sdn.southbound import codec


def flow_mod(flow: Flow) -> FlowMod:
    [made] = Compiled.of(Program((flow,)), codec.add_flow).flow_mods()
    return made


class ReadableCompiler(Compiler):
    """Remembers what it encodes."""

    def __init__(self, apps: Iterable[App], widest: int = WIDEST) -> None:
        self._flows: dict[bytes, Flow] = {}
        super().__init__(apps, self._remember, widest)

    def flow(self, sent: FlowMod) -> Flow:
        return self._flows[sent.wire]

    def flows(self, program: Compiled) -> list[Flow]:
        return [self.flow(sent) for sent in program.flow_mods()]

    def _remember(self, flow: Flow) -> bytes:
        wire = codec.add_flow(flow)
        self._flows[wire] = flow
        return wire
