"""An operator's policy file: what it says goes before the defaults, from the moment on that it is written."""
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from naas_sdn import config
from naas_sdn.errors import ConfigurationError
from naas_sdn.service.policy_file import LOOK, PolicyFiles
from naas_sdn.service.policy_rules import defaults
from tests.api.test_roles import ask
from tests.api.wire import GONE, Wire


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text("{}\n")
    return file


@pytest.fixture
def lab(sqlite_url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Whoever asks says what his roles are; the files are looked at for every request."""
    monkeypatch.setattr("naas_sdn.rest.wsgi.PolicyFiles", lambda conf: PolicyFiles(conf, look=0))
    with Wire(sqlite_url, options=f"[api]\nauth = noauth\n[oslo_policy]\npolicy_file = {path}\n") as made:
        yield made


def make(lab: Wire, collection: str, member: str, project: str = "alice", roles: str = "admin",
         **attributes: Any) -> dict[str, Any]:
    answer = ask(lab, project, roles, "POST", collection, {member: attributes})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.body[member]
    return found


def test_single_rules_are_opened_and_closed(lab: Wire, path: Path) -> None:
    """Others stay as they are."""
    def status(roles: str, body: dict[str, Any]) -> int:
        return ask(lab, "alice", roles, "POST", "networks", {"network": body}).status

    cases = (("member", {}), ("member", {"shared": True}), ("manager", {}), ("reader", {}), ("admin", {"shared": True}))
    assert [status(*case) for case in cases] == [201, 403, 201, 403, 201]
    path.write_text('"create_network": "role:manager and project_id:%(project_id)s or rule:admin_only"\n'
                    '"create_network:shared": "rule:sharers"\n"sharers": "role:manager or role:gardener"\n')
    assert [status(*case) for case in (*cases, ("manager", {"shared": True}))] == [403, 403, 201, 403, 201, 201]
    path.write_text("{}\n")
    assert [status(*case) for case in cases] == [201, 403, 201, 403, 201]


def test_roles_of_the_operator_s_own(lab: Wire, path: Path) -> None:
    refused = ask(lab, "alice", "gardener", "POST", "networks", {"network": {}})
    assert (refused.status, refused.error) == (403, "PolicyNotAuthorized")
    path.write_text('"create_network": "rule:admin_only or role:gardener"\n')
    assert ask(lab, "alice", "gardener", "POST", "networks", {"network": {}}).status == 201
    assert ask(lab, "alice", "member", "POST", "networks", {"network": {}}).status == 403


def test_a_refusal_names_the_rule(lab: Wire, path: Path) -> None:
    path.write_text('"update_network": "!"\n')
    network = make(lab, "networks", "network")
    answer = ask(lab, "alice", "admin", "PUT", f"networks/{network['id']}", {"network": {"name": "x"}})
    assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")
    assert answer.message == "rule:update_network is disallowed by policy: it takes !."


def test_what_is_shown_of_an_object(lab: Wire, path: Path) -> None:
    """By role, and by whose it is; neither filters nor orders tell more."""
    network = make(lab, "networks", "network")
    port = make(lab, "ports", "port", network_id=network["id"], **{"binding:host_id": "hv1"})
    vif = make(lab, "vifs", "vif", port_id=port["id"], host="hv1", interface="tap1")

    def seen(roles: str, project: str = "alice") -> set[str]:
        found = ask(lab, project, roles, "GET", f"ports/{port['id']}").body["port"]
        [listed] = ask(lab, project, roles, "GET", "ports").body["ports"]
        assert found == listed
        return {name for name in found if name.startswith(("binding:", "network:"))}

    everything = {"binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details", "binding:vnic_type"}
    assert (seen("member"), seen("service"), seen("admin")) == ({"binding:vnic_type"}, everything, everything)
    path.write_text('"get_port:binding:host_id": "rule:owner"\n"get_port:binding:vif_type": "rule:network_owner"\n'
                    '"get_port:binding:vnic_type": "!"\n"get_vif:host": "role:manager"\n'
                    '"get_network:provider:segmentation_id": "@"\n')
    assert seen("member") == {"binding:host_id", "binding:vif_type", "binding:vnic_type"}
    assert seen("service", "nova") == {"binding:vnic_type", "binding:profile", "binding:vif_details"}
    shown = ask(lab, "alice", "member", "GET", f"networks/{network['id']}").body["network"]
    assert shown["provider:segmentation_id"] and "provider:network_type" not in shown
    for roles, there in (("manager", True), ("member", False), ("admin", True)):
        assert ("host" in ask(lab, "alice", roles, "GET", f"vifs/{vif['id']}").body["vif"]) is there, roles
        for wrong in ("vifs?host=hv2", "vifs?host=hv2&sort_key=host&sort_dir=asc"):
            assert len(ask(lab, "alice", roles, "GET", wrong).body["vifs"]) == (0 if there else 1), (roles, wrong)


def test_what_may_be_read(lab: Wire, path: Path) -> None:
    """What may not is not there, for lists, references and changes too; pages are full all the same."""
    networks = [make(lab, "networks", "network", name=name) for name in ("open", "shut", "open", "shut", "open")]
    foreign = make(lab, "networks", "network", "bob", shared=True, name="open")
    private = make(lab, "networks", "network", "bob", name="open")

    def listed(roles: str, query: str = "") -> list[str]:
        found = ask(lab, "alice", roles, "GET", f"networks?sort_key=name{query}").body["networks"]
        return [item["name"] for item in found]

    assert (len(listed("member")), len(listed("admin")), len(listed("service"))) == (6, 7, 7)
    path.write_text('"get_network": "rule:admin_only or (role:manager and rule:shared) or field:networks:name=open"\n')
    assert (listed("member"), listed("manager"), len(listed("admin"))) == (["open"] * 4, ["open"] * 4, 7)
    answer = ask(lab, "alice", "member", "GET", "networks?limit=2&sort_key=name")
    assert [item["name"] for item in answer.body["networks"]] == ["open", "open"]
    marker = answer.body["networks"][1]["id"]
    assert listed("member", f"&limit=2&marker={marker}") == ["open", "open"]
    assert listed("member", f"&limit=1&marker={marker}&page_reverse=true") == ["open"]
    shut = next(item["id"] for item in networks if item["name"] == "shut")
    nothing = ask(lab, "alice", "member", "GET", f"networks/{GONE}")
    for method, body in (("GET", None), ("PUT", {"network": {"name": "x"}}), ("DELETE", None)):
        found = ask(lab, "alice", "member", method, f"networks/{shut}", body)
        assert (found.status, found.message.replace(shut, GONE)) == (404, nothing.message), method
    assert ask(lab, "alice", "member", "POST", "ports", {"port": {"network_id": shut}}).status == 404
    assert ask(lab, "alice", "member", "GET", f"networks/{private['id']}").status == 404
    path.write_text('"get_network": "rule:shared"\n')
    for roles in ("member", "reader", "admin"):
        assert ask(lab, "alice", roles, "GET", f"networks/{foreign['id']}").status == 200
        assert listed(roles) == ["open"]
    outside = make(lab, "networks", "network", "bob", name="out", **{"router:external": True})
    path.write_text('"get_network": "rule:external"\n')
    assert (listed("member"), listed("admin")) == (["out"], ["out"])
    assert ask(lab, "alice", "admin", "DELETE", f"networks/{outside['id']}").status == 204
    path.write_text('"get_network": "role:manager"\n')
    assert (listed("member"), len(listed("manager")), len(listed("admin"))) == ([], 6, 7)


def test_rules_that_others_are_made_of_change_those(lab: Wire, path: Path) -> None:
    make(lab, "networks", "network")
    make(lab, "networks", "network", "bob")
    path.write_text('"owner": "user_id:%(project_id)s"\n')
    assert ask(lab, "alice", "member", "GET", "networks").body["networks"] == []
    path.write_text('"context_with_global_access": "role:auditor"\n')
    counts = [len(ask(lab, "alice", roles, "GET", "networks").body["networks"])
              for roles in ("member", "auditor", "auditor,reader")]
    assert counts == [1, 0, 2]


@pytest.mark.parametrize(("text", "why"), [
    ('"create_network": "role:admin and"\n', "Policy rule create_network: 'role:admin and' is not written as"),
    ('"create_network": "rule:nobody_home"\n', "needs rule:nobody_home, which is not there"),
    ('"create_network": "rule:create_network"\n', "needs itself"),
    ('"create_network":\n', "'create_network': None is no rule"),
    ("create_network\n", "is no policy file"), ("{\n", "cannot be read as YAML"), ("- a\n", "is no policy file"),
    ('"create_network": "http://192.0.2.1/"\n', "asks another server"),
])
def test_a_broken_file_is_refused_at_start_and_changes_nothing_later(path: Path, text: str, why: str,
                                                                     caplog: pytest.LogCaptureFixture) -> None:
    path.write_text('"create_network": "role:gardener"\n')
    files = PolicyFiles(configured(path), look=0)
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        PolicyFiles(configured(path))
    assert str(path) in str(caught.value) and why in str(caught.value)
    for _ in range(3):
        assert files.rules().texts["create_network"] == "role:gardener"
    [record] = [record for record in caplog.records if record.name == "naas_sdn.service.policy_file"]
    assert "the policy stays as it was" in record.message and why in record.message
    path.write_text('"create_network": "role:member"\n')
    assert files.rules().texts["create_network"] == "role:member"


def test_a_file_that_is_gone_changes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text('"create_network": "!"\n')
    files = PolicyFiles(configured(path), look=0)
    os.remove(path)
    assert files.rules().texts["create_network"] == "!"
    assert "is not there" in caplog.text
    with pytest.raises(ConfigurationError, match="is not there"):
        PolicyFiles(configured(path))


def test_more_files_in_a_folder(path: Path) -> None:
    """In the order of their names, after the file; without any there are the defaults alone."""
    folder = path.parent / "policy.d"
    folder.mkdir()
    path.write_text('"create_network": "role:one"\n"create_router": "role:one"\n')
    (folder / "20.yaml").write_text('"create_network": "role:three"\n')
    (folder / "10.yaml").write_text('"create_network": "role:two"\n"create_port": "role:two"\n')
    files = PolicyFiles(configured(path, folder), look=0)

    def texts() -> list[str]:
        return [files.rules().texts[name] for name in ("create_network", "create_router", "create_port")]

    assert texts() == ["role:three", "role:one", "role:two"]
    (folder / "20.yaml").unlink()
    assert texts() == ["role:two", "role:one", "role:two"]
    assert PolicyFiles(config.load(files=["/dev/null"])).rules() is defaults()


def test_files_are_looked_at_once_a_second(path: Path) -> None:
    files = PolicyFiles(configured(path))
    path.write_text('"create_network": "!"\n')
    assert LOOK == 1.0 and files.rules().texts["create_network"] != "!"


def configured(path: Path, folder: Path | None = None) -> config.ConfigOpts:
    options = path.parent / "naas-sdn.conf"
    options.write_text(f"[oslo_policy]\npolicy_file = {path}\n" + (f"policy_dirs = {folder}\n" if folder else ""))
    return config.load(files=[str(options)])


def test_what_is_read_of_rules_zones_and_subports_is_closed_too(lab: Wire, path: Path) -> None:
    policy = make(lab, "qos/policies", "policy", name="p")["id"]
    rule = ask(lab, "alice", "admin", "POST", f"qos/policies/{policy}/bandwidth_limit_rules",
               {"bandwidth_limit_rule": {"max_kbps": 1000}}).body["bandwidth_limit_rule"]["id"]
    network = make(lab, "networks", "network")["id"]
    trunk = make(lab, "trunks", "trunk", port_id=make(lab, "ports", "port", network_id=network)["id"])["id"]
    lists = (f"qos/policies/{policy}/bandwidth_limit_rules", "qos/alias_bandwidth_limit_rules", "qos/rule-types",
             "statistics")
    single = (f"{lists[0]}/{rule}", f"{lists[1]}/{rule}", "qos/rule-types/bandwidth_limit",
              f"trunks/{trunk}/get_subports")

    def counts() -> list[int]:
        return [len(next(iter(ask(lab, "alice", "reader", "GET", place).body.values()))) for place in lists]

    def statuses() -> list[int]:
        return [ask(lab, "alice", "reader", "GET", place).status for place in single]

    assert min(counts()) > 0 and statuses() == [200] * 4
    path.write_text("".join(f'"get_{name}": "!"\n' for name in (
        "policy_bandwidth_limit_rule", "alias_bandwidth_limit_rule", "rule_type", "subports", "statistic",
        "availability_zone")))
    assert counts() == [0] * 4 and statuses() == [404, 404, 404, 403]
    assert ask(lab, "alice", "reader", "GET", "availability_zones").body == {"availability_zones": []}
