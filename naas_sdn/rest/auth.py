"""Who asks: the credentials of a request to a Context."""
from __future__ import annotations

import base64
from collections.abc import Callable

from webob import Request

from naas_sdn.db.session import Database
from naas_sdn.errors import NotAuthenticated
from naas_sdn.service import tokens, users
from naas_sdn.service.contract import Context
from naas_sdn.service.passwords import Checker

Authenticate = Callable[[Request], Context]
"""Raises NotAuthenticated for credentials that are missing or wrong, ServiceUnavailable when nobody can tell now."""

BASIC = 'Basic realm="naas-sdn", charset="UTF-8"'
"""RFC 7617 section 2."""

MISSING = ("The request you have made requires authentication: send X-Auth-Token, or a user's name and password by "
           "Authorization: Basic.")
WRONG_TOKEN = "The token is unknown or has expired; `naas-sdn token create` makes one."
WRONG_PASSWORD = "There is no such user, or the password is another."


def authenticator(database: Database) -> Authenticate:
    """Of one process."""
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
