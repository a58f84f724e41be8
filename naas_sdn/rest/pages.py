"""What the server says of itself, for anybody: the API's description for programs and for people."""
from __future__ import annotations

from functools import cache
from importlib.resources import files

from webob import Response

from naas_sdn.rest import openapi

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
"""The page is one file that asks for nothing but the description (Content-Security-Policy)."""


def description() -> Response:
    return Response(openapi.text(), content_type="application/json", charset=None)


def browsable() -> Response:
    """The description as a page."""
    response = Response(_page(), content_type="text/html", charset="UTF-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@cache
def _page() -> bytes:
    return (files(__package__) / "docs.html").read_bytes()
