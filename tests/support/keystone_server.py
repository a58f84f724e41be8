"""A Keystone of its own on the loopback: SQLite, Fernet, one user "admin" in project "admin".

    python -m tests.support.keystone_server DIRECTORY PORT PASSWORD

It has no green threads, and its own options for everything, so it is a process of its own.
"""
from __future__ import annotations

import os
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

from keystone.cmd import cli
from keystone.server.wsgi import initialize_public_application
from oslo_config import cfg

READY = "serve"
KEYS = ("fernet_tokens", "fernet_receipts", "credential")


def prepare(directory: Path, port: int, password: str) -> None:
    """Database, keys, and who may do anything; as `keystone-manage` would, without three times its start."""
    url = f"http://127.0.0.1:{port}/v3"
    repositories = "".join(f"[{name}]\nkey_repository = {directory / name}\n" for name in KEYS)
    (directory / "keystone.conf").write_text(f"""\
[database]
connection = sqlite:///{directory}/keystone.db
[cache]
enabled = false
[identity]
password_hash_rounds = 4
{repositories}""")
    for name in KEYS:
        (directory / name).mkdir(mode=0o700)
    for words in (("db_sync",), ("fernet_setup", "--keystone-user", "root", "--keystone-group", "root"),
                  ("bootstrap", "--bootstrap-password", password, "--bootstrap-region-id", "one",
                   "--bootstrap-public-url", url, "--bootstrap-internal-url", url)):
        sys.argv = ["keystone-manage", "--config-file", str(directory / "keystone.conf"), *words]
        cli.main(sys.argv)
        cfg.CONF.reset()


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main(directory: Path, port: int, password: str) -> None:
    if password != READY:
        prepare(directory, port, password)
        # The command's options stay in a process for good; the server's are others.
        module = ("-W", "ignore", "-m", "tests.support.keystone_server")
        os.execv(sys.executable, [sys.executable, *module, str(directory), str(port), READY])
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(directory / "keystone.conf")
    sys.argv = sys.argv[:1]
    make_server("127.0.0.1", port, initialize_public_application(), Server).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
