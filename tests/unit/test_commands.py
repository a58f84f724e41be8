"""`naas-sdn` as an operator types it: what it prints, and one line and a status for what cannot be."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from naas_sdn.db.session import Database
from naas_sdn.service import hypervisors, passwords, users
from tests.support.controller import run_command
from tests.support.database import Cloud

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Run:
    """Runs a command on the test's database."""
    config = tmp_path / "naas-sdn.conf"
    config.write_text(f"[database]\nconnection = {database.url}\n")
    return lambda *words, **more: run_command(*words, "--config-file", str(config), **more)


def said(done: CompletedProcess[str]) -> list[str]:
    """The lines of one that did what it was told."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_tokens_are_made_listed_and_revoked(run: Run) -> None:
    [secret] = said(run("token", "create", "--project", "alice", "--user", "al", "--role", "reader"))
    [line] = said(run("token", "list"))
    identifier, project, user, roles, *_ = line.split()
    assert (project, user, roles) == ("alice", "al", "reader")
    assert secret not in line
    assert said(run("token", "revoke", identifier)) == []
    assert said(run("token", "list")) == []
    again = run("token", "revoke", identifier)
    assert (again.returncode, again.stderr) == (1, f"naas-sdn: Token {identifier} could not be found.\n")


def test_the_policy_is_listed_and_checked(tmp_path: Path) -> None:
    config, policy = tmp_path / "naas-sdn.conf", tmp_path / "policy.yaml"
    config.write_text(f"[oslo_policy]\npolicy_file = {policy}\n")

    def run(*words: str) -> CompletedProcess[str]:
        return run_command("policy", *words, "--config-file", str(config))

    policy.write_text('"create_network": "rule:ours"\n"ours": "role:manager"\n"create_castle": "!"\n')
    assert said(run("list", "--changed")) == ['"create_network": "rule:ours"', '"ours": "role:manager"',
                                              '"create_castle": "!"']
    every = said(run("list"))
    assert '"update_network": "rule:admin_only or (role:member and rule:owner)"' in every and len(every) > 150
    [idle, fine] = said(run("check"))
    assert idle.startswith("create_castle: nothing asks for it")
    assert fine.startswith("The policy can be used: ") and fine.endswith(" 3 of them not as by default.")
    policy.write_text('"create_network": "rule:theirs"\n')
    for command in ("check", "list"):
        broken = run(command)
        assert broken.returncode == 1 and broken.stderr.splitlines()[-1] == (
            f"naas-sdn: {policy}: Policy rule create_network needs rule:theirs, which is not there.")


def test_users_are_made_listed_changed_and_deleted(run: Run, database: Database) -> None:
    assert said(run("user", "create", "al", "--project", "alice", "--role", "reader", told="correct horse\n")) == []
    [made] = said(run("user", "create", "bo", "--generate"))
    assert said(run("user", "list")) == ["al  alice  reader", "bo  (no project)"]
    assert said(run("user", "grant", "al", "--project", "alice", "--role", "manager", "--role", "reader")) == []
    assert said(run("user", "grant", "al", "--project", "bob")) == []
    assert said(run("user", "list")) == ["al  alice  manager,reader", "al  bob  member", "bo  (no project)"]
    assert said(run("user", "revoke", "al", "--project", "alice", "--role", "reader")) == []
    assert said(run("user", "revoke", "al", "--project", "bob")) == []
    assert said(run("user", "list"))[0] == "al  alice  manager"
    assert said(run("user", "set-password", "bo", told="another horse\n")) == []
    for name, right, wrong in (("al", "correct horse", "another horse"), ("bo", "another horse", made)):
        with database.read() as session:
            stored = users.find(session, name).password
        assert stored is not None
        assert (passwords.matches(right, stored), passwords.matches(wrong, stored)) == (True, False)
    said(run("token", "create", "--project", "alice", "--user", "al"))
    deleted = run("user", "delete", "al")
    assert (deleted.returncode, deleted.stdout) == (0, "")
    assert "Tokens with this user's name are still there: " in deleted.stderr
    assert said(run("user", "list")) == ["bo  (no project)"]


@pytest.mark.parametrize(("words", "told", "why"), [
    (("create", "al"), "short\n", "8 to 1024 printable characters"),
    (("create", "al"), "", "a line of standard input"),
    (("create", "a:l", "--generate"), "", "no colon"),
    (("delete", "al"), "", "User al could not be found."),
    (("set-password", "al", "--generate"), "", "User al could not be found."),
    (("grant", "al", "--project", "p"), "", "User al could not be found."),
])
def test_users_that_cannot_be(run: Run, words: tuple[str, ...], told: str, why: str) -> None:
    done = run("user", *words, told=told)
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_uplinks_are_given_and_taken(run: Run, cloud_db: Cloud) -> None:
    words = ("hypervisor", "uplinks", "hv1")
    assert said(run(*words, "--physical-network", "public:eth1", "--physical-network", "lab:eth2")) == [
        "hv1: public:eth1, lab:eth2"]
    assert "physical_networks: {'lab': 'eth2', 'public': 'eth1'}" in said(run("hypervisor", "show", "hv1"))
    for wrong in ("public", "public:", ":eth1", "public:eth 1", "a b:eth1", "public:longer-than-15-chars"):
        refused = run(*words, "--physical-network", wrong)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"naas-sdn: '{wrong}' is not NAME:INTERFACE")
    assert run(*words, "--physical-network", "a:eth1", "--physical-network", "b:eth1").returncode == 1
    assert said(run(*words)) == ["hv1: no uplinks"]
    assert "physical_networks: {}" in said(run("hypervisor", "show", "hv1"))
    assert run("hypervisor", "uplinks", "hv9").returncode == 1


def test_hypervisors_are_listed_shown_and_removed(run: Run, cloud_db: Cloud) -> None:
    assert said(run("hypervisor", "list")) == [
        f"hv{number}  {number:016x}  192.0.2.{number}  not connected" for number in (1, 2)]
    assert "vtep: 192.0.2.1" in said(run("hypervisor", "show", "hv1"))
    port = cloud_db.port(cloud_db.network()[0], "hv1")
    used = run("hypervisor", "remove", "hv1")
    assert (used.returncode, used.stderr) == (
        1, f"naas-sdn: Port {port} is plugged to tap1 of hypervisor hv1; unplug it first.\n")
    assert said(run("hypervisor", "remove", "hv2")) == []
    with cloud_db.database.read() as session:
        assert [row.name for row in hypervisors.listed(session)] == ["hv1"]
    for command in ("show", "remove"):
        gone = run("hypervisor", command, "hv2")
        assert (gone.returncode, gone.stderr) == (1, "naas-sdn: Hypervisor hv2 could not be found.\n")


@pytest.mark.parametrize(("words", "status", "why"), [
    (("token", "create", "--project", "p", "--days", "nan"), 2, "'nan' is not a valid integer range"),
    (("token", "create", "--project", "p", "--days", "0"), 2, "0 is not in the range"),
    (("token", "create", "--project", "p", "--role", "king"), 2, "'king' is not one of"),
    (("token", "create", "--project", "p", "--user", "a\nb"), 1, "255 printable characters"),
    (("token", "create", "--project", ""), 1, "255 printable characters"),
    (("serve", "--log-level", "BOGUS"), 2, "'BOGUS' is not one of"),
    (("serve", "--api-workers", "-1"), 2, "-1 is not in the range"),
])
def test_what_cannot_be(run: Run, words: tuple[str, ...], status: int, why: str) -> None:
    done = run(*words)
    assert done.returncode == status
    assert why in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
