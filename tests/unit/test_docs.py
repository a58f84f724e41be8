"""docs/pipeline.md says what pipeline/tables.py and the apps say; every link between the documents leads somewhere."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from naas_sdn.pipeline import tables
from naas_sdn.pipeline.tables import DROPS, RETURNS, SKIPS, Reason, Table
from tests.support.topologies import apps

ROOT = Path(__file__).parent.parent.parent
PIPELINE = ROOT / "docs/pipeline.md"
REGISTERS = ("NET", "FLAGS", "IN", "OUT", "HOP", "RT", "REASON", "SOURCE_NET", "SCRATCH", "HOP6")


def rows(columns: int) -> list[list[str]]:
    """The cells of the document's tables that have so many columns, headings and rulers aside."""
    found = [[cell.strip() for cell in line.strip().strip("|").split("|")]
             for line in PIPELINE.read_text().splitlines() if line.startswith("|")]
    return [cells for cells in found if len(cells) == columns and not set("".join(cells)) <= {"-"}]


def test_the_tables() -> None:
    owners = {table: app.name for app in apps() for table in app.tables}
    said = {int(number): (name, app, miss) for number, name, app, _, miss in rows(5)[1:]}
    assert said == {int(table): (
        table.name, owners[table], _miss(table)) for table in Table}


def _miss(table: Table) -> str:
    if table in RETURNS:
        return "back"
    return f"drop {DROPS[table].name}" if table in DROPS else SKIPS[table].name if table in SKIPS else "next"


def test_registers_and_reasons() -> None:
    said = rows(3)
    assert {name: register for register, name, _ in said if name in REGISTERS} == {
        name: vars(tables)[name] for name in REGISTERS}
    assert {int(number): name for number, name, _ in said if number.isdigit()} == {
        int(reason): reason.name for reason in Reason}


@pytest.mark.parametrize("document", sorted(path.relative_to(ROOT).as_posix() for path in
                                            (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))))
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target
