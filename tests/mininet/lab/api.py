"""A thin client of the REST API, for one token."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

Watch = Callable[[requests.Response], None]


class ApiRefused(Exception):
    """`status` and Neutron's error `type`; the message is what the API said."""

    def __init__(self, method: str, path: str, answer: requests.Response) -> None:
        error: Any = answer.text
        if "json" in answer.headers.get("Content-Type", ""):
            error = next(iter(answer.json().values()), "")
        self.status = answer.status_code
        self.type = error.get("type", "") if isinstance(error, dict) else ""
        said = error.get("message", error) if isinstance(error, dict) else error
        super().__init__(f"{method} {path}: {self.status} {self.type} {said}")


class Api:
    """`api.post("networks", {"name": "blue"})["id"]`; bodies are wrapped and unwrapped as Neutron has them."""

    def __init__(self, url: str, token: str, name: str, watch: Watch | None = None) -> None:
        """`name` is the token's project; `watch` is told of every answer."""
        self.url = url
        self.token = token
        self.name = name
        self._watch = watch
        self._session = requests.Session()
        # A proxy from the environment has no business between two processes of this machine.
        self._session.trust_env = False
        self._session.headers["X-Auth-Token"] = token

    def get(self, path: str, **query: Any) -> Any:
        """A resource as a dict, a collection as a list."""
        return self._call("GET", path, params=query)

    def post(self, path: str, attributes: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self._call("POST", path, json={singular(path.rsplit("/", 1)[-1]): attributes})
        return made

    def update(self, path: str, attributes: dict[str, Any]) -> dict[str, Any]:
        """Change a resource, path "collection/id"."""
        changed: dict[str, Any] = self._call("PUT", path, json={singular(path.split("/")[-2]): attributes})
        return changed

    def act(self, path: str, arguments: dict[str, Any]) -> Any:
        """An action on a resource (add_router_interface, attach_subnet): arguments go as they are."""
        return self._call("PUT", path, json=arguments)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def admit(self, cidr: str) -> None:
        """Let the project's machines be reached from these addresses too, by a rule of its default security group."""
        [group] = self.get("security_groups", name="default", project_id=self.name)
        self.post("security_group_rules", {"security_group_id": group["id"], "direction": "ingress",
                                           "remote_ip_prefix": cidr})

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self._session.request(method, f"{self.url}/v2.0/{path}", timeout=30, **arguments)
        if self._watch is not None:
            self._watch(answer)
        if not answer.ok:
            raise ApiRefused(method, path, answer)
        body = answer.json() if answer.content else {}
        # {"network": {...}}, {"networks": [...], "networks_links": [...]}, or an action's own dict.
        values = [value for name, value in body.items() if not name.endswith("_links")]
        return values[0] if len(values) == 1 and isinstance(values[0], dict | list) else body


def singular(collection: str) -> str:
    """"policies" -> "policy", "networks" -> "network"."""
    return collection[:-3] + "y" if collection.endswith("ies") else collection.removesuffix("s")
