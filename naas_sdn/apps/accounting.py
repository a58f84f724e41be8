"""Counting: one flow for what a port sent, one for what was delivered to it (tables FROM_COUNT, TO_COUNT).

They name nothing but the port's key, so they live, and count on, as long as the port stays on its hypervisor.
"""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact
from naas_sdn.pipeline.flow import Flow, match
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import IN, OUT, Reason, Table, next_table

DIRECTION: dict[Table, str] = {Table.FROM_COUNT: "out", Table.TO_COUNT: "in"}
"""What each table counts, as seen from the machine."""


class Accounting:
    """Tables FROM_COUNT and TO_COUNT."""

    name = "accounting"
    tables = frozenset(DIRECTION)
    kinds = frozenset(("port",))
    reasons: frozenset[Reason] = frozenset()

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        if isinstance(fact, Attachment):
            yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)

    def compile(self, view: View, scope: Scope) -> Program:
        port = view.port(scope.id)
        if port is None:
            return Program()
        return Program(tuple(
            Flow(table, 100, match({register: port.key}), goto=next_table(table))
            for table, register in ((Table.FROM_COUNT, IN), (Table.TO_COUNT, OUT))
        ))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []
