"""Keystone says who asks: its own filter (keystonemiddleware.auth_token) looks at the request's tokens.

The filter is asked from within, around an application that does nothing, so that what needs no token never waits for
Keystone, and what the filter refuses is told in Neutron's words.
"""
from __future__ import annotations

import io
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any

from keystoneauth1.exceptions import ClientException
from keystonemiddleware import auth_token
from oslo_config import cfg
from webob import Request

from naas_sdn.errors import ConfigurationError, NotAuthenticated, PolicyNotAuthorized, ServiceUnavailable
from naas_sdn.rest.auth import Authenticate, roles
from naas_sdn.service.contract import Context

LOG = logging.getLogger(__name__)

CACHE = "naas_sdn.keystone_tokens"
"""Where the filter looks for a cache in the environment of a request."""

MOST_TOKENS = 4096
LONGEST_TOKEN = 8192

PATIENCE = 10
"""Seconds for an answer of Keystone's, unless [keystone_authtoken] http_connect_timeout says more."""

REFUSED = ("The request you have made requires authentication: the token in X-Auth-Token, or the one in "
           "X-Service-Token, is missing, unknown, or has expired.")
UNREACHABLE = "Keystone, which knows who you are, does not answer as it should; try again later."


def by_keystone(conf: cfg.ConfigOpts) -> Authenticate:
    """By [keystone_authtoken], as keystonemiddleware documents it. Raises ConfigurationError."""
    for group, options in auth_token.list_opts():
        conf.register_opts(options, group)
    conf.set_default("http_connect_timeout", PATIENCE, "keystone_authtoken")
    try:
        ask = auth_token.AuthProtocol(_passed, {"oslo_config_config": conf, "cache": CACHE})
        section = conf.keystone_authtoken
    except (ClientException, auth_token.ConfigurationError, cfg.Error, ValueError) as error:
        raise ConfigurationError(f"[keystone_authtoken]: {error}") from error
    if section.auth_type is None and section.auth_section is None:
        raise ConfigurationError("[keystone_authtoken] auth_type is missing: [api] auth = keystone needs there where "
                                 "Keystone is and who asks it, such as auth_type = password, auth_url, username, ...")
    uri = section.www_authenticate_uri
    refused = partial(NotAuthenticated, REFUSED, f'Keystone uri="{uri}"' if uri else None)
    cache = None if section.memcached_servers else _Tokens()

    def authenticate(request: Request) -> Context:
        for name in ("X-Auth-Token", "X-Service-Token"):
            token = request.headers.get(name, "")
            if len(token) > LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
                raise refused()
        # Nothing of the body, and no token by the filter's other name for it.
        environ = {name: value for name, value in request.environ.items() if name != "HTTP_X_STORAGE_TOKEN"}
        asked = Request({**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0", CACHE: cache})
        try:
            answer = asked.get_response(ask)
        except ClientException as error:
            LOG.exception("Keystone cannot be asked")
            raise ServiceUnavailable(UNREACHABLE) from error
        if answer.status_int == 401:
            raise refused()
        if answer.status_int != 200:
            raise ServiceUnavailable(UNREACHABLE)
        return _context(asked)

    return authenticate


def _passed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What the filter lets through, even if it was told to leave the decision to others."""
    good = (environ.get("HTTP_X_IDENTITY_STATUS") == "Confirmed"
            and environ.get("HTTP_X_SERVICE_IDENTITY_STATUS", "Confirmed") == "Confirmed")
    start_response("200 OK" if good else "401 Unauthorized", [])
    return []


def _context(request: Request) -> Context:
    """Of what the filter found. Raises PolicyNotAuthorized for a token that is for no project."""
    project = request.headers.get("X-Project-Id")
    if not project:
        raise PolicyNotAuthorized("The token is for no project; ask Keystone for one that is scoped to a project.")
    return Context(project, request.headers["X-User-Id"], roles(request.headers.get("X-Roles", "")),
                   service_roles=roles(request.headers.get("X-Service-Roles", "")))


class _Tokens:
    """What the filter keeps of the tokens it has seen, where there is no memcached: the latest, in this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        until, data = self._kept.get(key, (0.0, b""))
        return data if until > monotonic() else None

    def set(self, key: str, data: bytes, time: int) -> None:
        """`time`: in seconds; the filter's word for it. Not positive: do not keep it."""
        self._kept.pop(key, None)
        if time > 0:
            self._kept[key] = (monotonic() + time, data)
        while len(self._kept) > MOST_TOKENS:
            self._kept.popitem(last=False)
