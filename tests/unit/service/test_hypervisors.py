"""The register of hypervisors: what identifies one belongs to no other."""
from __future__ import annotations

import pytest

from naas_sdn.db.session import Database
from naas_sdn.service.hypervisors import HypervisorExists, listed, register


@pytest.mark.parametrize(("name", "datapath_id", "vtep", "certificate"), [
    ("a", "9", "192.0.2.9", None), ("c", "1", "192.0.2.9", None), ("c", "9", "192.0.2.1", None),
    ("c", "9", "192.0.2.9", "a"), ("c", "9", "192.0.2.9", "tls.b"), ("tls.b", "9", "192.0.2.9", None),
    ("tls.b", "9", "192.0.2.9", ""),
])
def test_two_cannot_share(database: Database, name: str, datapath_id: str, vtep: str, certificate: str | None) -> None:
    with database.write() as session:
        register(session, "a", "1", "192.0.2.1", None)
        register(session, "b", "2", "192.0.2.2", "tls.b")
        with pytest.raises(HypervisorExists):
            register(session, name, datapath_id, vtep, certificate)
        register(session, "c", "9", "192.0.2.9", "tls.c")
        assert [row.name for row in listed(session)] == ["a", "b", "c"]


def test_a_certificate_need_not_bear_the_name(database: Database) -> None:
    """And a name is free whose certificate would be another's only if it had none of its own."""
    with database.write() as session:
        register(session, "a", "1", "192.0.2.1", "tls.a")
        register(session, "tls.a", "2", "192.0.2.2", "tls.b")
        assert len(listed(session)) == 2
