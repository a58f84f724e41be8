"""A real Keystone to test with, and the accounts in it."""
from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from tests.support.controller import free_port
from tests.support.openvswitch import CommandFailed

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "keystone's own"
PUBLIC = "https://keystone.example/v3"
"""Where clients are told that it is."""

READY = 90
"""Seconds until it must answer; it makes its database first."""


def options(url: str, **more: str) -> str:
    """A controller's that asks the Keystone at `url`."""
    wanted = {"auth_type": "password", "auth_url": url, "username": "naas", "password": "naas",
              "project_name": "service", "user_domain_id": "default", "project_domain_id": "default",
              "www_authenticate_uri": PUBLIC, "http_request_max_retries": "0", **more}
    return "[api]\nauth = keystone\n[keystone_authtoken]\n" + "".join(
        f"{name} = {value}\n" for name, value in wanted.items())


class Keystone:
    """In `directory`; at `url` between `with` and its end. What `make_*` return are ids."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/v3"
        self._session = requests.Session()
        self._session.trust_env = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Keystone:
        log = self._directory / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.support.keystone_server", str(self._directory),
                 str(self._port), PASSWORD], cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + READY
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise CommandFailed(f"Keystone does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        self._session.headers["X-Auth-Token"] = self.token("admin", PASSWORD, "admin")
        self._roles = {role["name"]: role["id"] for role in self.ask("GET", "roles")["roles"]}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """From now on nobody answers."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """As its administrator; raises requests.HTTPError."""
        answer = self._session.request(method, f"{self.url}/{path}", json=body, headers=headers, timeout=20)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def make_role(self, name: str) -> None:
        self._roles[name] = self.ask("POST", "roles", {"role": {"name": name}})["role"]["id"]

    def make_project(self, name: str) -> str:
        made: str = self.ask("POST", "projects", {"project": {"name": name, "domain_id": "default"}})["project"]["id"]
        return made

    def make_user(self, name: str, project: str, *roles: str) -> str:
        """With these roles in that project (its id), and the name as password."""
        wanted = {"name": name, "password": name, "domain_id": "default"}
        user: str = self.ask("POST", "users", {"user": wanted})["user"]["id"]
        for role in roles:
            self.ask("PUT", f"projects/{project}/users/{user}/roles/{self._roles[role]}")
        return user

    def token(self, user: str, password: str, project: str | None) -> str:
        """For the project of this name, or when None for none."""
        domain = {"id": "default"}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {
            "user": {"name": user, "domain": domain, "password": password}}}}
        if project is not None:
            auth["scope"] = {"project": {"name": project, "domain": domain}}
        answer = self._session.post(f"{self.url}/auth/tokens", json={"auth": auth}, timeout=20)
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"]

    def publish(self, kind: str, url: str) -> None:
        """In the catalog, a service of this kind at `url`."""
        service = self.ask("POST", "services", {"service": {"type": kind, "name": kind}})["service"]["id"]
        self.ask("POST", "endpoints", {"endpoint": {"service_id": service, "interface": "public", "url": url,
                                                    "region_id": "one"}})

    @property
    def validations(self) -> int:
        """How many tokens it was asked about."""
        return (self._directory / "log").read_text().count('"GET /v3/auth/tokens')

    def revoke(self, token: str) -> None:
        self.ask("DELETE", "auth/tokens", **{"X-Subject-Token": token})

    def _answers(self) -> bool:
        try:
            return self._session.get(self.url, timeout=5).ok
        except requests.RequestException:
            return False
