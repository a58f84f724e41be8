"""A small cloud of a real Keystone and our controller, and the clouds.yaml of those who use it."""
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.controller import Controller, free_port
from tests.support.keystone import PASSWORD, Keystone, options


@dataclass(frozen=True, slots=True)
class Cloud:
    """`clouds` is the clouds.yaml; `projects` are the ids of "demo", "alt" and "service" by name."""

    clouds: Path
    controller: Controller
    keystone: Keystone
    projects: dict[str, str]


@contextmanager
def cloud(directory: Path) -> Iterator[Cloud]:
    """Users "demo" and "alt" are members of projects of their names; "devstack-admin" and its like are the admin.

    When it ends, the controller has logged nothing that tells of a bug.
    """
    with Keystone(directory) as keystone:
        projects = {name: keystone.make_project(name) for name in ("demo", "alt", "service")}
        keystone.make_user("naas", projects["service"], "service", "admin")
        for name in ("demo", "alt"):
            keystone.make_user(name, projects[name], "member")
        controller = Controller(directory, ("127.0.0.1", free_port()))
        controller.config.write_text(controller.config.read_text() + options(keystone.url))
        controller.start()
        try:
            keystone.publish("network", controller.url)
            yield Cloud(_clouds(directory, keystone), controller, keystone, projects)
        finally:
            controller.stop()
        assert controller.complaints() == []


def _clouds(directory: Path, keystone: Keystone) -> Path:
    admin = ("admin", PASSWORD)
    path = directory / "clouds.yaml"
    # JSON is YAML.
    path.write_text(json.dumps({"clouds": {
        "devstack": _user(keystone, "demo", "demo", {"project_name": "demo"}),
        "devstack-alt": _user(keystone, "alt", "alt", {"project_name": "alt"}),
        "devstack-admin": _user(keystone, *admin, {"project_name": "admin"}),
        "devstack-system-admin": _user(keystone, *admin, {"system_scope": "all"}),
    }}))
    return path


def _user(keystone: Keystone, user: str, password: str, scope: dict[str, str]) -> dict[str, Any]:
    if "project_name" in scope:
        scope = {**scope, "project_domain_id": "default"}
    return {"region_name": "one", "identity_api_version": "3", "auth": {
        "auth_url": keystone.url, "username": user, "password": password, "user_domain_id": "default", **scope}}
