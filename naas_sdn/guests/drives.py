"""Virtual CD-ROMs (ISO 9660) that agents in machines find by their label: OpenStack's config drive, and NoCloud."""
from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import PurePosixPath

from pycdlib.pycdlib import PyCdlib

from naas_sdn.guests.documents import as_json, as_yaml, meta_data, network_config, network_data
from naas_sdn.guests.values import Machine

CONFIG_DRIVE = "config-2"
NO_CLOUD = "cidata"

VERSIONS = ("2018-08-27", "latest")
"""Of OpenStack's metadata: an agent takes the newest folder that it knows."""


def config_drive(machine: Machine) -> bytes:
    """An image with openstack/VERSION/meta_data.json and network_data.json."""
    files = {"meta_data.json": as_json(meta_data(machine)), "network_data.json": as_json(network_data(machine))}
    return image(CONFIG_DRIVE, {f"openstack/{version}/{name}": content
                                for version in VERSIONS for name, content in files.items()})


def no_cloud(machine: Machine) -> bytes:
    """An image with meta-data, network-config, and a user-data that asks for nothing: cloud-init wants one."""
    named = {"local-hostname": machine.hostname} if machine.hostname else {}
    return image(NO_CLOUD, {
        "meta-data": as_yaml({"instance-id": machine.id, **named}),
        "user-data": b"#cloud-config\n{}\n",
        "network-config": as_yaml(network_config(machine)),
    })


def image(label: str, files: Mapping[str, bytes]) -> bytes:
    """ISO 9660 with Rock Ridge and Joliet names, for paths relative to its root."""
    disc = PyCdlib()
    disc.new(interchange_level=3, sys_ident="LINUX", vol_ident=label, rock_ridge="1.09", joliet=3)
    short: dict[PurePosixPath, str] = {PurePosixPath("."): ""}
    for path in _folders(files):
        short[path] = f"{short[path.parent]}/D{len(short)}"
        disc.add_directory(short[path], rr_name=path.name, joliet_path=f"/{path}")
    for number, (name, content) in enumerate(files.items()):
        path = PurePosixPath(name)
        disc.add_fp(BytesIO(content), len(content), f"{short[path.parent]}/F{number}.;1", rr_name=path.name,
                    joliet_path=f"/{path}")
    made = BytesIO()
    disc.write_fp(made)
    disc.close()
    return made.getvalue()


def _folders(files: Mapping[str, bytes]) -> list[PurePosixPath]:
    """Of these paths, the outer before the inner."""
    found = {folder for name in files for folder in PurePosixPath(name).parents if folder != PurePosixPath(".")}
    return sorted(found, key=lambda folder: (len(folder.parts), folder))
