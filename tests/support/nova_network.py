"""Nova's own network code, `nova.network.neutron.API`, as nova-compute and nova-conductor call it.

    python -m tests.support.nova_network NOVA_CONF

Nova has its options and its SQLite database to itself, so it is a process of its own. Each line of the input is a JSON
object, {"call", "token", "project", ...}; each line of the output is {"answer"} or {"error", "said"}, of its exception.
"""
from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from tests.support.clouds import Cloud

ROOT = Path(__file__).parent.parent.parent

CONF = """\
[DEFAULT]
transport_url = fake:///
[database]
connection = sqlite:///{directory}/nova.db
[api_database]
connection = sqlite:///{directory}/nova_api.db
[oslo_concurrency]
lock_path = {directory}
[neutron]
endpoint_override = {network}
{account}
[service_user]
send_service_user_token = true
{account}
"""


class NovaError(Exception):
    """Nova's call raised; the text begins with the name of its exception's class."""


@dataclass(frozen=True, slots=True)
class Nova:
    """Says calls to a process that `opened` made, for a user of this token and project (its id)."""

    _input: IO[str]
    _output: IO[str]
    _token: str
    _project: str

    def for_user(self, token: str, project: str) -> Nova:
        """The same process, for somebody else."""
        return replace(self, _token=token, _project=project)

    def call(self, name: str, **arguments: Any) -> Any:
        """By Nova's name of it, or `boot`, `move` and `information`, below. Raises NovaError."""
        asked = {"call": name, "token": self._token, "project": self._project, **arguments}
        self._input.write(json.dumps(asked) + "\n")
        self._input.flush()
        told = json.loads(self._output.readline())
        if "error" in told:
            raise NovaError(f"{told['error']}: {told['said']}")
        return told["answer"]


@contextmanager
def opened(directory: Path, cloud: Cloud, user: str) -> Iterator[Nova]:
    """Nova's own account is `user`, of the project "service"; calls are made for "demo"."""
    account = (f"auth_type = password\nauth_url = {cloud.keystone.url}\nusername = {user}\npassword = {user}\n"
               "project_name = service\nuser_domain_id = default\nproject_domain_id = default")
    conf = directory / "nova.conf"
    conf.write_text(CONF.format(directory=directory, network=cloud.controller.url, account=account))
    with (directory / "log").open("w") as log, subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.support.nova_network", str(conf)], cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Nova(process.stdin, process.stdout, cloud.keystone.token("demo", "demo", "demo"), cloud.projects["demo"])
        # It ends when its input does.
        process.stdin.close()
        process.wait(timeout=30)


def _interface(vif: Any) -> dict[str, Any]:
    """What Nova gathered of one, in short."""
    network = vif["network"]
    return {
        "id": vif["id"], "mac": vif["address"], "type": vif["type"], "devname": vif["devname"],
        "active": vif["active"], "details": vif["details"], "profile": vif["profile"],
        "preserve_on_delete": vif["preserve_on_delete"], "bridge": network["bridge"], "network": network["id"],
        "mtu": network.get_meta("mtu"), "addresses": [ip["address"] for ip in vif.fixed_ips()],
        "gateways": [subnet["gateway"]["address"] for subnet in network["subnets"]],
        "dns": [ip["address"] for subnet in network["subnets"] for ip in subnet["dns"]],
    }


def _serve(conf: str) -> None:
    """Nova's imports are here: only this process can bear them."""
    from nova import config, context, objects  # noqa: PLC0415
    from nova.db import migration  # noqa: PLC0415
    from nova.network import model, neutron  # noqa: PLC0415

    config.parse_args(["nova-compute", "--config-file", conf])
    objects.register_all()
    for database in ("main", "api"):
        migration.db_sync(database=database)
    network = neutron.API()

    def session(asked: dict[str, Any]) -> Any:
        return context.RequestContext(user_id="demo", project_id=asked["project"], auth_token=asked["token"],
                                      is_admin=False)

    def machine(asked: dict[str, Any]) -> Any:
        return objects.Instance.get_by_uuid(session(asked), asked["machine"], expected_attrs=["info_cache"])

    def boot(asked: dict[str, Any]) -> str:
        """A machine of Nova's database on `host`; its UUID."""
        made = objects.Instance(session(asked), project_id=asked["project"], user_id="demo", host=asked["host"],
                                availability_zone="nova", hostname="machine",
                                info_cache=objects.InstanceInfoCache(network_info=model.NetworkInfo()))
        made.create()
        return str(made.uuid)

    def move(asked: dict[str, Any]) -> None:
        """Nova's database says that it is on `host`."""
        found = machine(asked)
        found.host = asked["host"]
        found.save()

    def requests(asked: dict[str, Any]) -> Any:
        return objects.NetworkRequestList(objects=[
            objects.NetworkRequest(network_id=wanted.get("network"), port_id=wanted.get("port"),
                                   address=wanted.get("address")) for wanted in asked["networks"]])

    def validate(asked: dict[str, Any]) -> int:
        """For how many machines there is room, out of `count`."""
        return int(network.validate_networks(session(asked), requests(asked), asked["count"]))

    def allocate(asked: dict[str, Any]) -> list[dict[str, Any]]:
        found = machine(asked)
        network.allocate_for_instance(session(asked), found, requests(asked), asked["groups"], found.host)
        return information(asked)

    def information(asked: dict[str, Any]) -> list[dict[str, Any]]:
        """As it is in Nova's database."""
        return [_interface(vif) for vif in machine(asked).get_network_info()]

    def refresh(asked: dict[str, Any]) -> list[dict[str, Any]]:
        network.get_instance_nw_info(session(asked), machine(asked), force_refresh=True)
        return information(asked)

    def migration_of(asked: dict[str, Any]) -> Any:
        return objects.Migration(source_compute=asked["source"], dest_compute=asked["target"],
                                 migration_type=asked.get("kind", "live-migration"))

    def with_host(name: str) -> Callable[[dict[str, Any]], Any]:
        return lambda asked: getattr(network, name)(session(asked), machine(asked), asked["host"])

    calls: dict[str, Callable[[dict[str, Any]], Any]] = {
        "boot": boot, "move": move, "validate_networks": validate, "allocate_for_instance": allocate,
        "information": information, "get_instance_nw_info": refresh,
        "deallocate_for_instance": lambda asked: network.deallocate_for_instance(session(asked), machine(asked)),
        "deallocate_port_for_instance": lambda asked: len(network.deallocate_port_for_instance(
            session(asked), machine(asked), asked["port"])[0]),
        "add_fixed_ip_to_instance": lambda asked: len(network.add_fixed_ip_to_instance(
            session(asked), machine(asked), asked["network"])),
        "remove_fixed_ip_from_instance": lambda asked: len(network.remove_fixed_ip_from_instance(
            session(asked), machine(asked), asked["address"])),
        "bind_ports_to_host": with_host("bind_ports_to_host"),
        "setup_instance_network_on_host": with_host("setup_instance_network_on_host"),
        "cleanup_instance_network_on_host": with_host("cleanup_instance_network_on_host"),
        "setup_networks_on_host": lambda asked: network.setup_networks_on_host(
            session(asked), machine(asked), asked["host"], teardown=asked["teardown"]),
        "migrate_instance_start": lambda asked: network.migrate_instance_start(
            session(asked), machine(asked), migration_of(asked)),
        "migrate_instance_finish": lambda asked: network.migrate_instance_finish(
            session(asked), machine(asked), migration_of(asked), {}),
        "has_port_binding_extension": lambda asked: network.has_port_binding_extension(session(asked)),
    }
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = {"answer": calls[asked["call"]](asked)}
        except Exception as error:
            traceback.print_exc()
            told = {"error": type(error).__name__, "said": str(error)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
