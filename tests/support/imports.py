"""Who imports whom, read from the source: the layers of the package and the folders of its libraries."""
from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PACKAGE = "naas_sdn"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset(("__main__",)),
    frozenset(("bootstrap",)),
    frozenset(("commands",)),
    frozenset(("rest", "southbound")),
    frozenset(("engine", "nova")),
    frozenset(("plugins", "service")),
    frozenset(("apps", "db", "hypervisor")),
    frozenset(("guests", "model", "pipeline")),
    frozenset(("runtime", "config", "errors")),
)
"""From top to bottom; a part imports from lower layers only, whole layers down or from itself."""

TOGETHER: frozenset[frozenset[str]] = frozenset((frozenset(("plugins", "service")),))
"""Parts of one layer that may import each other: the core calls its plugins, which share its vocabulary."""

HOMES: Mapping[str, frozenset[str]] = {
    "os_ken": frozenset(("southbound",)),
    "eventlet": frozenset(("runtime",)),
    "sqlalchemy": frozenset(("db", "service", "plugins")),
    "oslo_policy": frozenset(("service",)),
    "psycopg2": frozenset(("db",)),
    "tenacity": frozenset(("db",)),
    "pycdlib": frozenset(("guests",)),
    "yaml": frozenset(("guests",)),
}
"""The only parts that may import a library."""


class Import(NamedTuple):
    """File `path` (relative to the package), at `line`, imports the dotted name `target`."""

    path: str
    line: int
    target: str


def imports(path: str, source: str) -> Iterator[Import]:
    """Every import of a file, also inside functions; relative ones made absolute."""
    folders = [PACKAGE, *path.split("/")[:-1]]
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(path, node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(folders[:len(folders) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            for name in node.names:
                yield Import(path, node.lineno, f"{module}.{name.name}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            named = node.args[0] if node.args else None
            if isinstance(named, ast.Constant) and isinstance(named.value, str):
                yield Import(path, node.lineno, named.value)


def part_of(path: str) -> str:
    """The part of the package that a file belongs to: its first folder, or the name of a file at the top."""
    return path.split("/", maxsplit=1)[0].removesuffix(".py")


def breaches(path: str, source: str) -> Iterator[str]:
    """What is wrong with a file's imports, one sentence each."""
    here = part_of(path)
    for found in imports(path, source):
        names = found.target.split(".")
        homes = HOMES.get(names[0])
        if homes is not None and here not in homes:
            yield f"{path}:{found.line}: {names[0]} belongs in {', '.join(sorted(homes))} only"
        # `import naas_sdn` and `from naas_sdn import __version__` name no part.
        if names[0] == PACKAGE and len(names) > 1 and here != "__init__":
            yield from _upward(found, here, names[1])


def _upward(found: Import, here: str, there: str) -> Iterator[str]:
    if here == there or frozenset((here, there)) in TOGETHER:
        return
    for part in (here, there):
        if not any(part in layer for layer in LAYERS):
            yield f"{found.path}:{found.line}: {part} has no layer: give it one in tests/support/imports.py"
            return
    if _depth(there) <= _depth(here):
        yield f"{found.path}:{found.line}: {here} imports {there}, which is not below it"


def _depth(part: str) -> int:
    return next(depth for depth, layer in enumerate(LAYERS) if part in layer)


def breaches_below(root: Path) -> list[str]:
    """All breaches of a package's folder."""
    return [breach for file in sorted(root.rglob("*.py"))
            for breach in breaches(file.relative_to(root).as_posix(), file.read_text())]
