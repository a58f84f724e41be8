"""Every kind, and how the messages are shared out among them."""
from __future__ import annotations

from fuzz import frames, http, openflow
from fuzz.kind import Kind

KINDS: tuple[Kind, ...] = (*openflow.KINDS, *frames.KINDS, *http.KINDS)
BY_NAME = {kind.name: kind for kind in KINDS}
