"""API tokens. Only the SHA-256 of a secret is stored: it has 256 random bits, so a slow hash would add nothing."""
from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import TokenRow, now
from naas_sdn.errors import InvalidInput, NotFound
from naas_sdn.service.contract import ROLES, Context


class TokenNotFound(NotFound):
    noun = "Token"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def require_roles(roles: Iterable[str]) -> list[str]:
    """In order, each once. Raises InvalidInput for none and for unknown ones."""
    wanted = sorted(set(roles))
    unknown = set(wanted) - ROLES
    if unknown or not wanted:
        raise InvalidInput(f"Unknown role {', '.join(sorted(unknown)) or '(none)'}; "
                           f"roles are {', '.join(sorted(ROLES))}.")
    return wanted


def issue(session: Session, project_id: str, user: str, roles: Iterable[str], seconds: int) -> tuple[str, str]:
    """(id, secret) of a new token; the secret is told once. Raises InvalidInput."""
    roles = require_roles(roles)
    if not all(0 < len(text) <= 255 and text.isprintable() for text in (project_id, user)):
        raise InvalidInput("A token needs a project and a user, of at most 255 printable characters each.")
    if not 0 < seconds <= 10 * 365 * 86400:
        raise InvalidInput(f"A token lives 1 second to 10 years, not {seconds} seconds.")
    secret = secrets.token_urlsafe(32)
    row = TokenRow(hash=_digest(secret), project_id=project_id, user=user, roles=roles,
                   expires_at=now() + timedelta(seconds=seconds))
    session.add(row)
    session.flush()
    return row.id, secret


_BY_HASH = select(TokenRow.project_id, TokenRow.user, TokenRow.roles, TokenRow.expires_at).where(
    TokenRow.hash == bindparam("hash"))


def authenticate(session: Session, secret: str) -> Context | None:
    """Who this is; None for an unknown or expired secret."""
    row = session.execute(_BY_HASH, {"hash": _digest(secret)}).one_or_none()
    if row is None or row.expires_at <= now():
        return None
    return Context(row.project_id, row.user, frozenset(row.roles))


def revoke(session: Session, identifier: str) -> None:
    """Raises TokenNotFound."""
    row = session.get(TokenRow, identifier)
    if row is None:
        raise TokenNotFound(identifier)
    session.delete(row)


def listed(session: Session) -> list[TokenRow]:
    return list(session.scalars(select(TokenRow).order_by(TokenRow.created_at)))
