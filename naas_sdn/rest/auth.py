"""Who asks: the credentials of a request to a Context."""
from __future__ import annotations

import base64
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from oslo_config import cfg
from webob import Request

from naas_sdn.db.session import Database
from naas_sdn.errors import ConfigurationError, HTTPBadRequest, NotAuthenticated
from naas_sdn.service import tokens, users
from naas_sdn.service.contract import Context
from naas_sdn.service.passwords import Checker

Authenticate = Callable[[Request], Context]
"""Raises NotAuthenticated for credentials that are missing or wrong, ServiceUnavailable when nobody can tell now."""

BASIC = 'Basic realm="naas-sdn", charset="UTF-8"'
"""RFC 7617 section 2."""

ANYBODY = "admin"
"""Project and user of who says nothing, where nobody need say anything."""

MISSING = ("The request you have made requires authentication: send X-Auth-Token, or a user's name and password by "
           "Authorization: Basic.")
WRONG_TOKEN = "The token is unknown or has expired; `naas-sdn token create` makes one."
WRONG_PASSWORD = "There is no such user, or the password is another."


def authenticator(conf: cfg.ConfigOpts, database: Database) -> Authenticate:
    """By [api] auth; of one process. Raises ConfigurationError."""
    if conf.api.auth == "noauth":
        if not _is_loopback(conf.api.host):
            raise ConfigurationError(f"[api] auth = noauth lets anybody do anything, so [api] host must be a loopback "
                                     f"address such as 127.0.0.1, not {conf.api.host}.")
        return by_what_is_said
    if conf.api.auth == "keystone":
        # Only here: it takes long to import, and knows the names above.
        from naas_sdn.rest.keystone import by_keystone  # noqa: PLC0415
        return by_keystone(conf)
    return by_token_or_password(database, Checker())


def by_token_or_password(database: Database, checker: Checker) -> Authenticate:
    """X-Auth-Token is the user's, or else his name and password are; X-Service-Token beside them that of a service
    that acts for him."""

    def authenticate(request: Request) -> Context:
        secret = request.headers.get("X-Auth-Token")
        if secret:
            return _by_token(database, request, secret)
        credentials = _credentials(request)
        if credentials is None:
            raise NotAuthenticated(MISSING)
        return _by_password(database, checker, request, *credentials)

    return authenticate


def by_what_is_said(request: Request) -> Context:
    """As keystonemiddleware's headers say; nothing said: an operator.

    Web pages that a browser shows on the same machine are not believed: those of others bear their Origin, or have a
    name of theirs lead here. Raises NotAuthenticated for them, HTTPBadRequest for what cannot be.
    """
    if request.headers.get("Origin") or not _is_loopback(_host_name(request.host)):
        raise NotAuthenticated("Without authentication only programs on this machine are served, not web pages: send "
                               "no Origin, and a Host that is a loopback address.")
    project, user = (request.headers.get(name) or ANYBODY for name in ("X-Project-Id", "X-User-Id"))
    if not all(len(text) <= 255 and text.isprintable() for text in (project, user)):
        raise HTTPBadRequest("X-Project-Id and X-User-Id have at most 255 printable characters each.")
    return Context(project, user, roles(request.headers.get("X-Roles", "admin")),
                   service_roles=roles(request.headers.get("X-Service-Roles", "")))


def roles(header: str) -> frozenset[str]:
    """Of a header that separates them by commas."""
    return frozenset(name.strip().lower() for name in header.split(",") if name.strip())


def _host_name(host: str) -> str:
    """Of a Host header, without the port; nothing for one that is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _by_token(database: Database, request: Request, secret: str) -> Context:
    with database.read() as session:
        found = tokens.authenticate(session, secret)
        service = request.headers.get("X-Service-Token")
        vouching = found if service is None else tokens.authenticate(session, service)
    if found is None or vouching is None:
        raise NotAuthenticated(WRONG_TOKEN)
    return Context(found.project_id, found.user_id, found.roles,
                   service_roles=frozenset() if service is None else vouching.roles)


def _by_password(database: Database, checker: Checker, request: Request, name: str, password: str) -> Context:
    with database.read() as session:
        user = users.find(session, name)
        service = request.headers.get("X-Service-Token")
        vouching = None if service is None else tokens.authenticate(session, service)
    # Outside of the transaction, for it takes long and yields.
    if not checker.check(name, password, user.password, request.remote_addr or ""):
        raise NotAuthenticated(WRONG_PASSWORD, BASIC)
    if service is not None and vouching is None:
        raise NotAuthenticated(WRONG_TOKEN)
    project = request.headers.get("X-Project-Id") or None
    found = user.context(project)
    if found is None:
        raise NotAuthenticated(f"User {name} has no role in project {project}." if project is not None else
                               f"User {name} has roles in {len(user.roles)} projects: say by X-Project-Id in which.")
    return Context(found.project_id, found.user_id, found.roles,
                   service_roles=frozenset() if vouching is None else vouching.roles)


def _credentials(request: Request) -> tuple[str, str] | None:
    """Name and password of Authorization: Basic (RFC 7617); None when there is no such header, or another scheme.

    Raises NotAuthenticated for what is not in its form.
    """
    scheme, _, encoded = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except ValueError as error:
        raise NotAuthenticated("Authorization: Basic is not base64 of UTF-8 text.", BASIC) from error
    name, colon, password = text.partition(":")
    if not colon:
        raise NotAuthenticated("Authorization: Basic has no colon between name and password.", BASIC)
    return name, password
