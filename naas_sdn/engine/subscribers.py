"""Who must look again when programs have changed: the switches that subscribe to each Group."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

from naas_sdn.apps.contract import Group
from naas_sdn.engine.groups import Touch


class Subscriber(Protocol):
    """What stands for one switch."""

    @property
    def host(self) -> str: ...

    def touch(self, group: Group, touch: Touch) -> bool:
        """Programs of a Group that it subscribes to have changed; whether it must look."""

    def move(self) -> None:
        """It may have to subscribe to others."""


class Subscribers:
    """Of all Groups."""

    def __init__(self) -> None:
        self._of_group: dict[Group, tuple[Group, set[Subscriber]]] = {}
        self._of_host: defaultdict[str, set[Subscriber]] = defaultdict(set)

    def join(self, subscriber: Subscriber) -> None:
        self._of_host[subscriber.host].add(subscriber)

    def leave(self, subscriber: Subscriber, groups: Iterable[Group]) -> None:
        """`groups`: all that it subscribes to."""
        self.change(subscriber, groups, ())
        self._of_host[subscriber.host].discard(subscriber)

    def change(self, subscriber: Subscriber, before: Iterable[Group], now: Iterable[Group]) -> set[Group]:
        """Replace what it subscribes to. Returns `now`, each Group as the one object that all subscribers share."""
        before, shared = set(before), set()
        for group in now:
            same, subscribers = self._of_group.setdefault(group, (group, set()))
            subscribers.add(subscriber)
            shared.add(same)
        for group in before - shared:
            _, subscribers = self._of_group[group]
            subscribers.discard(subscriber)
            if not subscribers:
                del self._of_group[group]
        return shared

    def tell(self, groups: Mapping[Group, Touch], hosts: Iterable[str]) -> set[str]:
        """Programs of these Groups have changed, and what these hypervisors subscribe to may have: all concerned."""
        concerned: set[str] = set()
        for group, touch in groups.items():
            _, subscribers = self._of_group.get(group, (group, ()))
            concerned.update(subscriber.host for subscriber in subscribers if subscriber.touch(group, touch))
        for host in hosts:
            for subscriber in self._of_host.get(host, ()):
                subscriber.move()
                concerned.add(host)
        return concerned
