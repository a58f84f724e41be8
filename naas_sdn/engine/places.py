"""Which scope has which place (table, priority, match) of which hypervisor's tables: no two may share one."""
from __future__ import annotations

from collections.abc import Iterable

from naas_sdn.apps.contract import Scope


class Places:
    """A cloud has millions, so each is one entry: its scope, or the scopes of several hypervisors by host.

    Places are numbers, as `Compiled.places` gives them. Which ones a scope has is what its program says.
    """

    def __init__(self) -> None:
        self._scopes: dict[int, Scope | dict[str | None, Scope]] = {}

    def holder(self, scope: Scope, place: int) -> Scope | None:
        """Who else is there. What is shared is on every hypervisor, so it meets any one's own."""
        found = self._scopes.get(place)
        if found is None or found == scope:
            return None
        if isinstance(found, dict):
            return found.get(scope.host) if scope.host is not None else next(iter(found.values()))
        return found if scope.host in (None, found.host) or found.host is None else None

    def claim(self, scope: Scope, places: Iterable[int]) -> None:
        """These are the scope's now; nobody else may be there."""
        for place in places:
            found = self._scopes.get(place)
            if isinstance(found, dict):
                found[scope.host] = scope
            elif found is None or found == scope:
                self._scopes[place] = scope
            else:
                self._scopes[place] = {found.host: found, scope.host: scope}

    def release(self, scope: Scope, places: Iterable[int]) -> None:
        """These, which the scope had, are not its any more."""
        for place in places:
            found = self._scopes[place]
            if not isinstance(found, dict):
                del self._scopes[place]
                continue
            del found[scope.host]
            if len(found) == 1:
                [self._scopes[place]] = found.values()
