"""CD-ROMs for agents: found by the label that the system's tools read, unpacked by libarchive, read by cloud-init."""
from __future__ import annotations

from pathlib import Path

from naas_sdn.guests.documents import meta_data, network_config, network_data
from naas_sdn.guests.drives import config_drive, image, no_cloud
from tests.support.guests import (
    MACHINE,
    cloud_init_reads_config_drive,
    cloud_init_reads_no_cloud,
    files_below,
    unpacked,
)


def test_cloud_init_reads_the_config_drive(tmp_path: Path) -> None:
    assert unpacked(config_drive(MACHINE), tmp_path / "drive") == "config-2"
    read = cloud_init_reads_config_drive(tmp_path / "drive")
    assert read["networkdata"] == network_data(MACHINE)
    assert meta_data(MACHINE).items() <= read["metadata"].items()
    assert read["metadata"]["instance-id"] == MACHINE.id
    assert read["metadata"]["local-hostname"] == "host-10-0-0-5"


def test_cloud_init_reads_the_no_cloud_drive(tmp_path: Path) -> None:
    assert unpacked(no_cloud(MACHINE), tmp_path / "drive") == "cidata"
    files = {name: text.encode() for name, text in files_below(tmp_path / "drive").items()}
    read = cloud_init_reads_no_cloud(files, tmp_path / "cloud")
    assert read["found"] is True
    assert read["network"] == network_config(MACHINE)
    assert read["instance"] == MACHINE.id
    assert read["metadata"]["local-hostname"] == "host-10-0-0-5"


def test_any_files_keep_their_names(tmp_path: Path) -> None:
    files = {"a/b.txt": b"one", "a/B.TXT.long-name-of-many-letters-and-more": b"two", "c": b"", "a/d/e": b"x" * 5000}
    unpacked(image("label", files), tmp_path / "drive")
    assert files_below(tmp_path / "drive") == {name: content.decode() for name, content in files.items()}
