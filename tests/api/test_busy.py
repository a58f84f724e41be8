"""While somebody else holds the database, what is there is shown, and what would change it is put off."""
from __future__ import annotations

from functools import partial

import pytest

from tests.api.wire import Wire
from tests.support.locked import locked, path_of


def test_a_change_is_put_off_and_leaves_nothing(sqlite_wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = sqlite_wire
    network = wire.network()
    monkeypatch.setattr(wire.database, "transact", partial(wire.database.transact, patience=0.1))
    before = wire.dump()
    with locked(path_of(wire.database)):
        for method, path, body in (("POST", "networks", {"network": {"name": "late"}}),
                                   ("PUT", f"networks/{network['id']}", {"network": {"name": "late"}}),
                                   ("DELETE", f"networks/{network['id']}", None)):
            refused = wire.ask(method, path, body)
            assert (refused.status, refused.error) == (503, "ServiceUnavailable")
            assert refused.headers["Retry-After"] == "5"
        assert wire.ask("GET", f"networks/{network['id']}").status == 200
    assert wire.dump() == before
    assert wire.make("networks", name="late")["name"] == "late"
