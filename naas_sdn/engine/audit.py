"""The audit log: every fault that was found in a switch that had been in step, what found it, and what became of it.

One line of JSON each, by the logger `naas_sdn.audit`; and counts, for whoever exports them.
"""
from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice

from naas_sdn.apps.contract import Scope
from naas_sdn.engine.difference import Fault, What
from naas_sdn.pipeline.program import Name

LOG = logging.getLogger("naas_sdn.audit")

LINES = 1000
"""Faults of one look that get a line each; the rest share one."""


class Cause(StrEnum):
    """What made the controller look."""

    MONITOR = "monitor"     # the switch told of a change that was not ours
    COUNT = "count"         # a table's flows, or the meters, were not what they should be
    AUDIT = "audit"         # its turn had come
    COMMAND = "command"     # an operator asked for it


def subject(scope: Scope) -> tuple[str, str] | None:
    """The (kind, id) of the object that a tenant or operator knows the scope by."""
    first, _, second = scope.id.partition(" ")
    match scope.kind:
        case "port" | "neighbour":
            return "port", scope.id
        case "subnet" | "network":
            return scope.kind, scope.id
        case "rules" | "rule":
            return "security_group", first
        case "copies" | "flood":
            return "network", scope.id
        case "interface":
            return "router", first
        case "peer" | "self":
            return "hypervisor", scope.id
        case "member":
            return "hypervisor", second
        case _:
            return None


class AuditLog:
    """Of one engine."""

    def __init__(self) -> None:
        self.faults: Counter[tuple[What, Cause]] = Counter()
        """Since the start, by kind and by what found them."""

    def book(self, host: str, cause: Cause, suspects: Container[Name], faults: Iterable[Fault],
             repaired: bool) -> None:
        """Faults of one look at `host`'s switch; the monitor has told of the `suspects`."""
        found = [(fault, Cause.MONITOR if fault.name in suspects else cause) for fault in faults]
        self.faults.update((fault.what, by) for fault, by in found)
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        for fault, by in islice(found, LINES):
            line: dict[str, object] = {"when": when, "hypervisor": host, "fault": fault.what, "found_by": by,
                                       "repaired": repaired}
            if fault.table is None:
                line["meter"] = fault.number
            else:
                line |= {"table": fault.table, "cookie": f"{fault.number:#x}"}
            if fault.scope is not None:
                line |= {"scope": " ".join(filter(None, fault.scope[:3])), "object": subject(fault.scope)}
            LOG.warning("%s", json.dumps(line))
        if len(found) > LINES:
            LOG.warning("%s", json.dumps({"when": when, "hypervisor": host, "more": len(found) - LINES,
                                          "repaired": repaired}))
