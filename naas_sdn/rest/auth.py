"""Who asks: the credentials of a request to a Context."""
from __future__ import annotations

from collections.abc import Callable

from webob import Request

from naas_sdn.db.session import Database
from naas_sdn.errors import NotAuthenticated
from naas_sdn.service import tokens
from naas_sdn.service.contract import Context

Authenticate = Callable[[Request], Context]
"""Raises NotAuthenticated for credentials that are missing or wrong."""

MISSING = "The request you have made requires authentication: send X-Auth-Token."


def by_token(database: Database) -> Authenticate:
    """X-Auth-Token is the user's; X-Service-Token beside it that of a service that acts for him."""

    def authenticate(request: Request) -> Context:
        secret = request.headers.get("X-Auth-Token")
        if not secret:
            raise NotAuthenticated(MISSING)
        with database.read() as session:
            found = tokens.authenticate(session, secret)
            service = request.headers.get("X-Service-Token")
            vouching = found if service is None else tokens.authenticate(session, service)
        if found is None or vouching is None:
            raise NotAuthenticated("The token is unknown or has expired; `naas-sdn token create` makes one.")
        return Context(found.project_id, found.user_id, found.roles,
                       service_roles=frozenset() if service is None else vouching.roles)

    return authenticate
