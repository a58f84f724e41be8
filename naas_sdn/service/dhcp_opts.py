"""A port's extra DHCP options: what its machine is told besides, or instead of, what its subnet says."""
from __future__ import annotations

from typing import Any

from naas_sdn.errors import InvalidInput
from naas_sdn.model import dhcp
from naas_sdn.service.contract import Attributes

MOST = 32


def merged(present: list[Any], wanted: list[Attributes]) -> list[Attributes]:
    """`present` with each of `wanted` ([{opt_name, opt_value, ip_version?}]) in its place; a value of null: without.

    Names that are not known are kept and not answered. Raises InvalidInput.
    """
    options = {(option["opt_name"], option["ip_version"]): option for option in present}
    seen: set[tuple[str, int]] = set()
    for option in wanted:
        name, value, version = option["opt_name"], option.get("opt_value"), option.get("ip_version", 4)
        if version not in (4, 6):
            raise InvalidInput(f"Invalid input for extra_dhcp_opts: ip_version {version} is neither 4 nor 6.")
        if (name, version) in seen:
            raise InvalidInput(f"Invalid input for extra_dhcp_opts: '{name}' is there twice for IPv{version}.")
        seen.add((name, version))
        if value is None:
            options.pop((name, version), None)
            continue
        _require_telling(name, value, version)
        options[name, version] = {"opt_name": name, "opt_value": value, "ip_version": version}
    if len(options) > MOST:
        raise InvalidInput(f"Invalid input for extra_dhcp_opts: {len(options)} options, at most {MOST}.")
    return list(options.values())


def _require_telling(name: str, value: str, version: int) -> None:
    try:
        dhcp.encoded(name, value, version)
    except ValueError as error:
        raise InvalidInput(f"Invalid input for extra_dhcp_opts: '{name}' cannot be told: {error}.") from error
