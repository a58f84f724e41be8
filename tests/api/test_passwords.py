"""Users with passwords: HTTP basic authentication beside tokens."""
from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

import pytest

from naas_sdn import runtime
from naas_sdn.errors import InvalidInput, NotFound, ServiceUnavailable
from naas_sdn.rest import auth
from naas_sdn.service import passwords, users
from tests.api.wire import Answer, Wire
from tests.support.statements import statements

PASSWORD = "correct horse battery"
HASHED = passwords.hashed(PASSWORD)


class Counting(passwords.Checker):
    """Counts the hashes that it has made."""

    def __init__(self) -> None:
        super().__init__(self._counted)
        self.made = 0

    def _counted(self, *call: Any) -> Any:
        self.made += 1
        return runtime.in_native_thread(*call)


@pytest.fixture
def checker(monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting()
    monkeypatch.setattr(auth, "Checker", lambda: made)
    return made


@pytest.fixture
def staffed(checker: Counting, wire: Wire) -> Iterator[Wire]:
    """`al` is a member of project alice, `both` of two projects, `none` of none."""
    with wire.database.write() as session:
        for name, roles in {"al": {"alice": ["member"]}, "none": {},
                            "both": {"alice": ["reader"], "bob": ["member", "reader"]}}.items():
            users.create(session, name, HASHED)
            for project, those in roles.items():
                users.grant(session, name, project, those)
    yield wire


def ask(wire: Wire, user: str, password: str = PASSWORD, *, method: str = "GET", path: str = "networks",
        body: Any = None, **headers: str) -> Answer:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return wire.ask(method, path, body, X_Auth_Token="", Authorization=f"Basic {encoded}", **headers)


def test_a_user_is_who_his_roles_say(staffed: Wire) -> None:
    made = ask(staffed, "al", method="POST", body={"network": {}})
    assert (made.status, made.body["network"]["project_id"]) == (201, "alice")
    assert ask(staffed, "al", X_Project_Id="alice").body["networks"] == [made.body["network"]]
    assert ask(staffed, "both", X_Project_Id="bob").body["networks"] == []
    assert len(ask(staffed, "both", X_Project_Id="alice").body["networks"]) == 1
    assert ask(staffed, "both", method="POST", body={"network": {}}, X_Project_Id="alice").status == 403
    assert ask(staffed, "both", method="POST", body={"network": {}}, X_Project_Id="bob").status == 201


def test_whoever_is_not_known_is_refused_in_the_same_words(staffed: Wire) -> None:
    answers = [ask(staffed, "al", "wrong"), ask(staffed, "nobody"), ask(staffed, "nobody", "wrong"),
               ask(staffed, "al", ""), ask(staffed, ""), ask(staffed, "AL")]
    assert {(answer.status, answer.error, answer.message) for answer in answers} == {
        (401, "HTTPUnauthorized", auth.WRONG_PASSWORD)}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {auth.BASIC}


def test_a_project_must_be_his(staffed: Wire) -> None:
    for user, project, why in (("al", "bob", "no role in project bob"), ("none", None, "in 0 projects"),
                               ("none", "alice", "no role in project alice"), ("both", None, "in 2 projects")):
        answer = ask(staffed, user, **({} if project is None else {"X_Project_Id": project}))
        assert answer.status == 401
        assert why in answer.message


@pytest.mark.parametrize("header", [
    "Basic", "Basic ", "Basic !!!", "Basic YWw", "Basic YWw=", "Basic /////w==", "Basic \udcff", "Bearer x",
    "basic", "x" * 5000])
def test_what_is_no_basic_authentication(staffed: Wire, header: str) -> None:
    answer = staffed.ask("GET", "networks", X_Auth_Token="", Authorization=header)
    assert (answer.status, answer.error) == (401, "HTTPUnauthorized")


def test_a_token_comes_first(staffed: Wire) -> None:
    """And a wrong one is not passed over."""
    encoded = base64.b64encode(f"al:{PASSWORD}".encode()).decode()
    for token, status in ((staffed.token("bob"), 200), ("wrong", 401)):
        assert staffed.ask("GET", "networks", X_Auth_Token=token, Authorization=f"Basic {encoded}").status == status


def test_a_service_vouches_for_him_too(staffed: Wire) -> None:
    network = staffed.network()
    port = staffed.make("ports", network_id=network["id"], device_owner="compute:nova")
    path = f"ports/{port['id']}"
    assert ask(staffed, "al", method="DELETE", path=path).status == 403
    assert ask(staffed, "al", method="DELETE", path=path, X_Service_Token="wrong").status == 401
    assert ask(staffed, "al", method="DELETE", path=path, X_Service_Token=staffed.token("service")).status == 204


def test_a_hash_is_made_once_and_what_changes_counts_at_once(staffed: Wire, checker: Counting) -> None:
    for _ in range(5):
        assert ask(staffed, "al").status == 200
        assert ask(staffed, "al", "wrong").status == 401
    assert checker.made == 2
    with statements() as heard:
        assert ask(staffed, "al", path="extensions").status == 200
    assert len(heard) == 1, heard
    with staffed.database.write() as session:
        users.revoke(session, "al", "alice")
    assert ask(staffed, "al").status == 401
    with staffed.database.write() as session:
        users.grant(session, "al", "alice", ["reader"])
        users.set_password(session, "al", passwords.hashed("another one"))
    assert (ask(staffed, "al").status, ask(staffed, "al", "another one").status) == (401, 200)
    with staffed.database.write() as session:
        users.delete(session, "al")
    assert ask(staffed, "al", "another one").status == 401
    with staffed.database.write() as session:
        users.create(session, "al", HASHED)
    assert ask(staffed, "al").status == 401, "his roles went with him"


def test_what_is_remembered_is_forgotten_again(staffed: Wire, checker: Counting,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "REMEMBERED", 2)
    for user in ("al", "both", "none", "al"):
        ask(staffed, user)
    assert checker.made == 4
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + passwords.RIGHT_FOR)
    assert ask(staffed, "al").status == 200
    assert checker.made == 5


def test_who_asks_the_same_at_the_same_time_shares_one_hash(checker: Counting) -> None:
    threads = [runtime.spawn(checker.check, "al", PASSWORD, HASHED, "192.0.2.1") for _ in range(10)]
    assert [thread.wait() for thread in threads] == [True] * 10
    assert checker.made == 1


def test_a_flood_of_wrong_passwords_is_bounded_and_stops_nobody_who_is_known(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Others go on while hashes are made: the hub turns, and the known are answered."""
    monkeypatch.setattr(passwords, "MOST_WAITING", 4)
    monkeypatch.setattr(passwords, "MOST_OF_ONE_SOURCE", 3)
    checker = passwords.Checker()
    assert checker.check("al", PASSWORD, HASHED, "192.0.2.9")
    ended: list[Any] = []

    def attack(number: int, source: str) -> None:
        try:
            ended.append(checker.check(f"user{number}", "wrong", None, source))
        except ServiceUnavailable as error:
            ended.append(error)

    threads = [runtime.spawn(attack, number, "192.0.2.1") for number in range(20)]
    runtime.sleep()
    assert len(ended) == 17, "three of one address wait"
    threads += [runtime.spawn(attack, number, "192.0.2.2") for number in range(20, 23)]
    runtime.sleep()
    assert len(ended) == 19, "four of all"
    assert all(isinstance(error, ServiceUnavailable) for error in ended)
    started, turns = time.monotonic(), 0
    while len(ended) < len(threads):
        assert checker.check("al", PASSWORD, HASHED, "192.0.2.1")
        runtime.sleep(0.001)
        turns += 1
    assert turns > 50 * (time.monotonic() - started), "a hash holds the hub"
    assert ended[19:] == [False] * 4
    assert not checker.check("user", "wrong", None, "192.0.2.1"), "the queue is empty again"


def test_a_failure_is_told_to_all_who_wait_and_kept_by_nobody() -> None:
    def broken(*_: Any) -> bool:
        runtime.sleep(0.01)
        raise MemoryError

    checker = passwords.Checker(broken)
    for _ in range(2):
        threads = [runtime.spawn(checker.check, "al", PASSWORD, HASHED, "") for _ in range(2)]
        for thread in threads:
            with pytest.raises(MemoryError):
                thread.wait()


def test_time_does_not_tell_whether_there_is_such_a_user() -> None:
    """The work is the same; half of it would show."""
    def work(stored: str | None) -> float:
        spent = []
        for number in range(5):
            started = time.process_time()
            assert not checker.check("al", f"wrong {number}", stored, "")
            spent.append(time.process_time() - started)
        return median(spent)

    checker = passwords.Checker(lambda function, *arguments: function(*arguments))
    known, unknown = work(HASHED), work(None)
    assert 0.7 < known / unknown < 1.4


@pytest.mark.parametrize("bad", ["", "short", "x" * 1025, "new\nline here", "nul\0nul\0nul"])
def test_passwords_that_cannot_be(bad: str) -> None:
    with pytest.raises(InvalidInput, match="printable"):
        passwords.hashed(bad)


def test_what_is_stored_tells_nothing(staffed: Wire) -> None:
    stored = [line for line in staffed.dump() if "scrypt$" in line]
    assert stored
    assert not any(PASSWORD in line for line in staffed.dump())
    assert passwords.hashed(PASSWORD) != HASHED, "salted"
    assert passwords.matches(PASSWORD, HASHED)
    with pytest.raises(ValueError, match="scheme"):
        passwords.matches(PASSWORD, "md5$1$1$1$aaaa$aaaa")


@pytest.mark.parametrize(("name", "project", "roles", "why"), [
    ("a:b", "p", ["member"], "colon"), ("", "p", ["member"], "printable"), ("x" * 256, "p", ["member"], "255"),
    ("new", "", ["member"], "project"), ("new", "p", ["king"], "king"), ("new", "p", [], "none")])
def test_users_that_cannot_be(wire: Wire, name: str, project: str, roles: Iterable[str], why: str) -> None:
    before = wire.dump()
    with pytest.raises(InvalidInput, match=why), wire.database.write() as session:
        users.create(session, name, HASHED)
        users.grant(session, name, project, roles)
    assert wire.dump() == before


def test_what_he_has_not_cannot_be_taken(staffed: Wire) -> None:
    for project, roles in (("bob", []), ("alice", ["admin"])):
        with pytest.raises(NotFound), staffed.database.write() as session:
            users.revoke(session, "al", project, roles)
