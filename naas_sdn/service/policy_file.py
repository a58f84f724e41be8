"""The operator's policy: `[oslo_policy] policy_file` and `policy_dirs`, as oslo.policy's users know them.

What a file says of a rule goes before the default, and it may have rules of its own that others name. Files are looked
at every second that somebody asks, and read when they have changed; one that is broken then changes nothing, and the
log says why.
"""
from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from time import monotonic

from oslo_config import cfg
from oslo_policy import opts
from oslo_policy.policy import parse_file_contents

from naas_sdn.errors import ConfigurationError
from naas_sdn.service import policy_rules
from naas_sdn.service.policy import Rules, compiled

LOG = logging.getLogger(__name__)

Stamp = tuple[str, int, int, int]
"""A file's path, inode, size and time: what tells that it is another."""

USUAL = "policy.yaml"

LOOK = 1.0
"""Seconds between looks at the files."""


class PolicyFiles:
    """The rules in force, of one process. Making it raises ConfigurationError for files that cannot be used."""

    def __init__(self, conf: cfg.ConfigOpts, look: float = LOOK) -> None:
        for group, options in opts.list_opts():
            conf.register_opts(options, group)
        self._conf = conf
        self._look = look
        self._looked = monotonic()
        self._stamps = tuple(self._stamped())
        self._rules = self._read()

    def rules(self) -> Rules:
        now = monotonic()
        if now < self._looked + self._look:
            return self._rules
        self._looked = now
        try:
            stamps = tuple(self._stamped())
            if stamps != self._stamps:
                # Once for each change, whether it can be used or not.
                self._stamps = stamps
                self._rules = self._read()
                LOG.info("the policy files have changed: %d rules", len(self._rules.texts))
        except (ConfigurationError, OSError) as error:
            LOG.error("the policy stays as it was: %s", error)
        return self._rules

    def _read(self) -> Rules:
        """The defaults, and over them what the files say, the later one last."""
        said: dict[str, str] = {}
        for path, *_ in self._stamps:
            said.update(_contents(path))
        if not said:
            return policy_rules.defaults()
        usual = policy_rules.texts()
        try:
            return compiled({**usual, **said}, usual)
        except ConfigurationError as error:
            raise ConfigurationError(f"{', '.join(path for path, *_ in self._stamps)}: {error}") from error

    def _stamped(self) -> Iterator[Stamp]:
        """Of every file there is. Raises ConfigurationError when one that is named is not."""
        section = self._conf.oslo_policy
        main = self._conf.find_file(section.policy_file)
        if main is not None:
            yield _stamp(main)
        elif section.policy_file != USUAL:
            raise ConfigurationError(f"[oslo_policy] policy_file = {section.policy_file} is not there; write it, or "
                                     f"leave the option out for the defaults alone.")
        for name in section.policy_dirs:
            folder = self._conf.find_file(name)
            if folder is not None:
                yield from (_stamp(path) for path in _files(folder))


def _stamp(path: str) -> Stamp:
    found = os.stat(path)
    return path, found.st_ino, found.st_size, found.st_mtime_ns


def _files(folder: str) -> list[str]:
    """In order. Raises ConfigurationError when it is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.is_file() and not entry.name.startswith("."))
    except OSError as error:
        raise ConfigurationError(f"[oslo_policy] policy_dirs: {folder}: {error.strerror}.") from error


def _contents(path: str) -> dict[str, str]:
    """Raises ConfigurationError for what is no mapping of names to rules."""
    try:
        with open(path, encoding="utf-8") as file:
            found = parse_file_contents(file.read())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} is no policy file: it has lines such as \"create_network\": \"role:admin\".")
    for name, text in found.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ConfigurationError(f"{path}: {name!r}: {text!r} is no rule: name and rule are text in quotes, "
                                     f"where \"\" is everybody and \"!\" nobody.")
    return found
