"""Query strings of lists: filters, fields, order and pages (Neutron's rules), and the links between pages."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from naas_sdn.errors import BadRequest, HTTPBadRequest
from naas_sdn.rest.attributes import Invalid, boolean, integer
from naas_sdn.rest.resources import Collection
from naas_sdn.service.contract import Query

RESERVED = frozenset(("fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"))
TAG_FILTERS = frozenset(("tags", "tags-any", "not-tags", "not-tags-any"))
NULLS = frozenset(("null", "none"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed query string. `fields` empty: all."""

    query: Query
    fields: tuple[str, ...]


def parse(collection: Collection, items: list[tuple[str, str]], page_limit: int) -> Asked:
    """Raises HTTPBadRequest or BadRequest."""
    filters: dict[str, list[Any]] = {}
    unknown = []
    values: dict[str, list[str]] = {name: [] for name in RESERVED}
    for name, value in items:
        if name in RESERVED:
            values[name].append(value)
            continue
        if name in TAG_FILTERS and collection.attribute("tags") is not None:
            filters.setdefault(name, []).extend(value.split(","))
            continue
        attribute = collection.attribute(name)
        if attribute is None or "F" not in attribute:
            unknown.append(name)
            continue
        filters.setdefault(name, []).append(_filter(name, attribute.type, value))
    if unknown:
        raise HTTPBadRequest(f"{sorted(set(unknown))} is invalid attribute for filtering")
    limit = _limit(values["limit"], page_limit)
    marker = values["marker"][-1] if values["marker"] else None
    query = Query({name: tuple(of) for name, of in filters.items()}, _order(collection, values), limit, marker,
                  _reverse(values["page_reverse"]))
    return Asked(query, tuple(name for given in values["fields"] for name in given.split(",") if name))


def _filter(name: str, convert: Any, value: str) -> Any:
    if name == "fixed_ips":
        return value
    try:
        return convert(value)
    except Invalid as error:
        if value.lower() in NULLS:
            return None
        if convert is boolean:
            raise HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from error
        return value


def _order(collection: Collection, values: dict[str, list[str]]) -> tuple[tuple[str, bool], ...]:
    keys, directions = values["sort_key"], values["sort_dir"]
    if directions and len(keys) != len(directions):
        raise HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
    for key in keys:
        attribute = collection.attribute(key)
        if attribute is None or "S" not in attribute:
            raise HTTPBadRequest(f"{[key]} is invalid attribute for sort_keys")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise HTTPBadRequest(f"{direction!r} is invalid sort_dir; it is asc or desc")
    return tuple((key, direction == "desc")
                 for key, direction in zip(keys, directions or ["asc"] * len(keys), strict=True))


def _limit(given: list[str], page_limit: int) -> int:
    if not given:
        return page_limit
    try:
        asked = int(integer(0, 2**31 - 1)(given[-1]))
    except Invalid as error:
        raise BadRequest(f"Bad limit request: {error}; it is an integer of 0 or more.") from error
    return min(asked, page_limit) if asked else page_limit


def _reverse(given: list[str]) -> bool:
    try:
        return bool(given) and boolean(given[-1])
    except Invalid as error:
        raise HTTPBadRequest(f"Invalid input for page_reverse. Reason: {error}.") from error


def links(url: str, items: list[tuple[str, str]], asked: Asked, page: list[dict[str, Any]],
          key: str) -> list[dict[str, str]]:
    """The next and previous page, for a request that gave a limit or a marker, or whose page is full."""
    kept = [(name, value) for name, value in items if name not in ("marker", "page_reverse")]
    if page and key not in page[0]:
        # Few, and all on one page.
        return []
    full = len(page) == asked.query.limit
    found = []
    if page and (full or asked.query.reverse):
        found.append({"rel": "next", "href": f"{url}?{urlencode([*kept, ('marker', page[-1][key])])}"})
    if page and asked.query.marker is not None and (full or not asked.query.reverse):
        back = [*kept, ("marker", page[0][key]), ("page_reverse", "True")]
        found.append({"rel": "previous", "href": f"{url}?{urlencode(back)}"})
    return found


def select(item: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name in fields} if fields else item
