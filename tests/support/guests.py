"""The programs in machines that read what they are told: Debian's packages of them, each on files in a folder."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any

from naas_sdn.guests.values import By, Interface, Machine, Told

FIRST = Interface("aaaaaaaa-1111-4111-8111-111111111111", "11111111-aaaa-4111-8111-111111111111", "fa:16:3e:00:00:01",
                  1450, (
    Told(IPv4Interface("10.0.0.5/24"), By.STATIC, IPv4Address("10.0.0.1"), (IPv4Address("192.0.2.53"),),
         ((IPv4Network("192.168.7.0/24"), IPv4Address("10.0.0.9")),)),
    Told(IPv4Interface("10.9.0.5/16")),
    Told(IPv6Interface("2001:db8::5/64"), By.STATIC, IPv6Address("2001:db8::1"), (IPv6Address("2001:db8:53::1"),))))
SECOND = Interface("bbbbbbbb-1111-4111-8111-111111111111", "22222222-aaaa-4111-8111-111111111111", "fa:16:3e:00:00:02",
                   1400, (Told(IPv4Interface("10.1.0.5/24"), By.STATIC, IPv4Address("10.1.0.1")),))
THIRD = Interface("cccccccc-1111-4111-8111-111111111111", "33333333-aaaa-4111-8111-111111111111", "fa:16:3e:00:00:03",
                  1500, (Told(IPv4Interface("10.2.0.5/24"), By.DHCP, IPv4Address("10.2.0.1")),
                         Told(IPv6Interface("2001:db8:2::5/64"), By.ADVERTISED)))
MACHINE = Machine("99999999-1111-4111-8111-111111111111", "alice", (FIRST, SECOND, THIRD), "host-10-0-0-5",
                  "example.org")
"""With two addresses of one family, both families, two gateways, and an interface that sets nothing itself."""

_READ_CONFIG_DRIVE = """
import json, sys
from cloudinit.sources.DataSourceConfigDrive import read_config_drive
print(json.dumps(read_config_drive(sys.argv[1])))
"""

_READ_NO_CLOUD = """
import json, logging, sys
from cloudinit import helpers
from cloudinit.sources.DataSourceNoCloud import DataSourceNoCloud
source = DataSourceNoCloud({}, None, helpers.Paths({"cloud_dir": sys.argv[1], "run_dir": sys.argv[1]}))
found = source.get_data()
print(json.dumps({"found": found, "instance": source.get_instance_id(), "metadata": source.metadata,
                  "network": source.network_config}))
"""


def run(*command: str) -> str:
    """What a program prints. Raises AssertionError with all that it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def files_below(root: Path) -> dict[str, str]:
    """The text of each file, by its path in `root`."""
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*"))
            if path.is_file() and not path.is_symlink()}


def unpacked(image: bytes, root: Path) -> str:
    """The files of a CD-ROM in `root`, and its label as the system's own tools read it."""
    disc = root.with_name(f"{root.name}.iso")
    disc.write_bytes(image)
    root.mkdir(parents=True)
    run("bsdtar", "-xf", str(disc), "-C", str(root))
    return run("blkid", "-p", "-s", "LABEL", "-o", "value", str(disc)).strip()


def cloud_init_reads_config_drive(root: Path) -> dict[str, Any]:
    """What cloud-init makes of a config drive's files."""
    read: dict[str, Any] = json.loads(run("/usr/bin/python3", "-c", _READ_CONFIG_DRIVE, str(root)))
    return read


def cloud_init_reads_no_cloud(files: Mapping[str, bytes], folder: Path) -> dict[str, Any]:
    """What cloud-init's NoCloud makes of a drive's files."""
    seed = folder / "seed" / "nocloud"
    seed.mkdir(parents=True)
    for name, content in files.items():
        (seed / name).write_bytes(content)
    read: dict[str, Any] = json.loads(run("/usr/bin/python3", "-c", _READ_NO_CLOUD, str(folder)))
    return read


def cloud_init_renders(kind: str, document: bytes, output: str, folder: Path,
                       names: Mapping[str, str] | None = None) -> dict[str, str]:
    """The files that cloud-init writes for a distribution's own network program, by path.

    `kind` of document: "yaml" or "network_data.json"; `names`: interfaces by their MAC.
    """
    folder.mkdir(parents=True)
    source = folder / "document"
    source.write_bytes(document)
    target = folder / "root"
    target.mkdir()
    known = [part for mac, name in (names or {}).items() for part in ("--mac", f"{name},{mac}")]
    run("/usr/bin/cloud-init", "devel", "net-convert", "-p", str(source), "-k", kind, "-d", str(target), "-D", "debian",
        "-O", output, *known)
    return files_below(target)


def netplan_generates(document: bytes, folder: Path) -> dict[str, str]:
    """The files of networkd that netplan makes of a configuration, by name."""
    (folder / "etc/netplan").mkdir(parents=True)
    source = folder / "etc/netplan/90-naas.yaml"
    source.write_bytes(document)
    source.chmod(0o600)
    run("netplan", "generate", "--root-dir", str(folder))
    return files_below(folder / "run/systemd/network")
