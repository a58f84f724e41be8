"""TLS: a certificate speaks for its own datapath ID, and nothing else is heard."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from naas_sdn import config
from naas_sdn.errors import ConfigurationError
from naas_sdn.southbound.app import Southbound
from naas_sdn.southbound.listener import tls_context
from tests.support.attacker import attack, is_closed
from tests.support.fleet import RecordingFleet, southbound, until
from tests.support.ovs import DummySwitch


def certificate(directory: Path, name: str, authority: str | None = None) -> tuple[str, str]:
    """(key, certificate) for common name `name`, signed by `authority`'s or by itself."""
    key, signed, request = (str(directory / f"{name}.{end}") for end in ("key", "pem", "csr"))

    def openssl(*arguments: str) -> None:
        subprocess.run(("openssl", *arguments), check=True, capture_output=True)

    if authority is None:
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key,
                "-out", signed)
    else:
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", f"{directory}/{authority}.pem", "-CAkey",
                f"{directory}/{authority}.key", "-CAcreateserial", "-days", "2", "-out", signed)
    return key, signed


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    for name, authority in (("ca", None), ("other-ca", None), ("controller", "ca"), ("hv1", "ca"), ("hv2", "ca")):
        certificate(directory, name, authority)
    (directory / "by-other").mkdir()
    for part in ("key", "pem"):
        (directory / "by-other" / f"other-ca.{part}").write_bytes((directory / f"other-ca.{part}").read_bytes())
    certificate(directory / "by-other", "hv1", "other-ca")
    return directory


@pytest.fixture(scope="module")
def secure(pki: Path) -> Iterator[tuple[Southbound, RecordingFleet]]:
    with southbound(certificate=f"{pki}/controller.pem", key=f"{pki}/controller.key", ca=f"{pki}/ca.pem",
                    handshake_timeout=2) as both:
        yield both


@pytest.mark.parametrize(("of", "reason"), [
    ("hv1", ""), ("by-other/hv1", "tls"), ("hv2", "not admitted"),
])
def test_a_certificate_speaks_for_its_own_datapath_only(
        secure: tuple[Southbound, RecordingFleet], pki: Path, of: str, reason: str) -> None:
    south, fleet = secure
    before = south.counts[reason]
    with DummySwitch(1, "hv1;vtep=192.0.2.1") as ovs:
        ovs.vsctl("set-ssl", f"{pki}/{of}.key", f"{pki}/{of}.pem", f"{pki}/ca.pem")
        ovs.set_controller(f"ssl:127.0.0.1:{south.port}")
        if not reason:
            until(lambda: "hv1" in fleet.switches)
            assert fleet.identities[-1].certificate == "hv1"
            assert fleet.switches["hv1"].dump().flows == {}
        else:
            until(lambda: south.counts[reason] > before)
            assert fleet.switches == {}
    until(lambda: fleet.switches == {})


def test_without_tls_nobody_is_heard(secure: tuple[Southbound, RecordingFleet]) -> None:
    south, fleet = secure
    before = south.counts["tls"]
    with DummySwitch(1, "hv1;vtep=192.0.2.1") as ovs:
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: south.counts["tls"] > before)
    with attack(south) as sock:
        assert is_closed(sock), "who says nothing in the TLS handshake is cut off"
    assert fleet.switches == {}


@pytest.mark.parametrize(("given", "told"), [
    (("certificate",), "key and ca"), (("certificate", "key"), "key and ca"),
    (("certificate", "key", "ca"), "cannot be used"),
])
def test_half_a_configuration_is_refused(given: tuple[str, ...], told: str) -> None:
    """Without an authority anybody's certificate would do."""
    conf = config.load(files=[])
    for name in given:
        conf.set_override(name, "/nothing/there.pem", "openflow")
    with pytest.raises(ConfigurationError, match=told):
        tls_context(conf.openflow)
