"""Clients of the API as a compute service is one: keep-alive connections, patience, and retries that do nothing twice.

A request that was cut, or answered with 500 or 503, may have been carried out: whoever repeats it looks first.
"""
from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from typing import Any

PATIENCE = 90.0
"""Seconds for which a request is tried again."""

PAUSE = 0.1


class Cut(Exception):
    """Whether the request was carried out is not known."""


class Refused(Exception):
    """The API's own no: its status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Client:
    """One connection; `retries` counts why requests had to be repeated."""

    def __init__(self, port: int, token: str) -> None:
        self.retries: Counter[str] = Counter()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"X-Auth-Token": token, "Content-Type": "application/json"}

    def once(self, method: str, path: str, body: Any = None) -> Any:
        """What is in the answer's body. Raises Cut and Refused."""
        try:
            self._connection.request(method, f"/v2.0/{path}", json.dumps(body) if body is not None else None,
                                     self._headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Cut(type(error).__name__) from error
        if answer.status in (500, 503):
            raise Cut(str(answer.status))
        if answer.status >= 400:
            raise Refused(answer.status, text.decode(errors="replace")[:300])
        return next(iter(json.loads(text).values())) if text else None

    def get(self, path: str) -> Any:
        """As often as it takes."""
        patience = Patience(self)
        while True:
            try:
                return self.once("GET", path)
            except Cut as cut:
                patience.more(cut)

    def create_port(self, network_id: str, name: str, **attributes: Any) -> str:
        """Its id. `name` is nobody else's: by it, a port that was made unheard is found."""
        patience = Patience(self)
        while True:
            try:
                made = self.once("POST", "ports", {"port": {"network_id": network_id, "name": name, **attributes}})
                return str(made["id"])
            except Cut as cut:
                patience.more(cut)
            found = self.get(f"ports?name={name}&fields=id")
            if found:
                return str(found[0]["id"])

    def plug(self, port_id: str, host: str, interface: str) -> str:
        """The VIF's id."""
        patience = Patience(self)
        while True:
            try:
                made = self.once("POST", "vifs", {"vif": {"port_id": port_id, "host": host, "interface": interface}})
                return str(made["id"])
            except Cut as cut:
                patience.more(cut)
            for vif in self.get(f"vifs?port_id={port_id}"):
                if (vif["host"], vif["interface"]) == (host, interface):
                    return str(vif["id"])

    def delete(self, path: str) -> None:
        """Gone is gone, by whichever attempt."""
        patience = Patience(self)
        while True:
            try:
                self.once("DELETE", path)
                return
            except Cut as cut:
                patience.more(cut)
            except Refused as refused:
                if refused.status == 404 and patience.tried:
                    return
                raise

    def close(self) -> None:
        self._connection.close()


class Patience:
    """Of one operation. Raises Cut when it is at an end."""

    def __init__(self, client: Client) -> None:
        self.tried = False
        self._client = client
        self._end = time.monotonic() + PATIENCE

    def more(self, cut: Cut) -> None:
        self.tried = True
        self._client.retries[str(cut)] += 1
        if time.monotonic() > self._end:
            raise cut
        time.sleep(PAUSE)
