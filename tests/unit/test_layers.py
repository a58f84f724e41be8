"""Imports go down only, and each library has its home (docs/architecture.md)."""
from __future__ import annotations

from pathlib import Path

import pytest

import naas_sdn
from tests.support.imports import LAYERS, breaches, breaches_below

ROOT = Path(naas_sdn.__file__).parent


def test_the_package_keeps_its_layers() -> None:
    assert breaches_below(ROOT) == []


def test_every_part_has_a_layer() -> None:
    parts = {path.name.removesuffix(".py") for path in ROOT.iterdir()
             if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__"} <= frozenset().union(*LAYERS)


@pytest.mark.parametrize(("path", "source", "text"), [
    ("model/values.py", "from naas_sdn.apps.contract import App", "model imports apps"),
    ("model/values.py", "import naas_sdn.engine.engine", "model imports engine"),
    ("service/ports.py", "from naas_sdn import rest", "service imports rest"),
    ("service/ports.py", "from ..engine import engine", "service imports engine"),
    ("rest/wsgi.py", "from naas_sdn.southbound import app", "rest imports southbound"),
    ("apps/qos.py", "from naas_sdn.db.rows import PortRow", "apps imports db"),
    ("errors.py", "from .config import load", "errors imports config"),
    ("engine/engine.py", "def late():\n    from naas_sdn.rest import wsgi", "engine imports rest"),
    ("engine/engine.py", "import importlib\nimportlib.import_module('naas_sdn.rest')", "engine imports rest"),
    ("engine/engine.py", "from os_ken.lib import packet", "os_ken belongs in southbound"),
    ("southbound/app.py", "import eventlet.queue", "eventlet belongs in runtime"),
    ("rest/wsgi.py", "if True:\n    import sqlalchemy as sql", "sqlalchemy belongs in"),
    ("newcomer/code.py", "from naas_sdn.errors import NaasError", "newcomer has no layer"),
])
def test_a_breach_is_found(path: str, source: str, text: str) -> None:
    assert [breach for breach in breaches(path, source) if text in breach]


@pytest.mark.parametrize(("path", "source"), [
    ("rest/wsgi.py", "from naas_sdn.service.contract import Context"),
    ("rest/wsgi.py", "from . import faults"),
    ("rest/wsgi.py", "from .. import errors"),
    ("plugins/openflow.py", "from naas_sdn.service.contract import Context"),
    ("db/session.py", "from sqlalchemy.orm import Session"),
    ("southbound/app.py", "from os_ken.base import app_manager"),
    ("__main__.py", "from naas_sdn.commands.prepare import prepare"),
])
def test_what_goes_down_is_fine(path: str, source: str) -> None:
    assert list(breaches(path, source)) == []
