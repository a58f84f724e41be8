"""Errors to responses: the only place that knows both."""
from __future__ import annotations

import json
import logging
from typing import Any

from webob import Response

from naas_sdn.errors import NaasError, NotAuthenticated, NotImplementedByPlugin, ServiceUnavailable

LOG = logging.getLogger(__name__)

RETRY_AFTER = 5
"""Seconds after which a client whose request found no database may try again."""


def body(kind: str, message: str) -> dict[str, Any]:
    """Neutron's error body; clients need all three keys."""
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def respond(status: int, content: Any) -> Response:
    """JSON; nothing at all in a 204, whose content is None."""
    response = Response(status=status)
    if status == 204:
        response.content_type = None
        response.body = b""
    else:
        response.content_type = "application/json"
        response.body = json.dumps(content).encode()
    return response


def http(status: int, kind: str, message: str) -> Response:
    return respond(status, body(kind, message))


def translate(error: Exception, request_id: str, url: str) -> Response:
    """Anything that is not one of ours is a mistake of ours: logged whole, told in general."""
    if isinstance(error, NotImplementedByPlugin):
        return respond(501, {"NotImplementedError": {"type": error.type, "message": str(error), "detail": ""}})
    if isinstance(error, NaasError) and error.status != 500:
        response = http(error.status, error.type, str(error))
        if isinstance(error, NotAuthenticated):
            response.headers["WWW-Authenticate"] = error.challenge or f'Keystone uri="{url}"'
        if isinstance(error, ServiceUnavailable):
            response.headers["Retry-After"] = str(RETRY_AFTER)
        return response
    LOG.error("%s", request_id, exc_info=error)
    return http(500, "HTTPInternalServerError",
                f"Request failed: an internal error occurred; the controller's log has it under {request_id}.")
