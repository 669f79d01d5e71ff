"""The event as a match in code sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from structlog.typing import EventDict

from activitylog.context import current
from activitylog.rules.lookup import given


class EventView(Mapping[str, Any]):
    """
    A read-only mapping of the keywords of ``emit`` and of what is bound to the task, as they were given.

    The event's name is under ``event``. Keys that say nothing (None) are absent.
    """

    __slots__ = ("_event_dict",)

    def __init__(self, event_dict: EventDict) -> None:
        self._event_dict = event_dict

    def __getitem__(self, key: str) -> Any:
        value = given(self._event_dict, key)
        if value is None:
            raise KeyError(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """What the event says under a key, or the default."""
        value = given(self._event_dict, key)
        return default if value is None else value

    def __iter__(self) -> Iterator[str]:
        # given() may put what a callable gives into the event while it is looked through.
        keys = {**self._event_dict, **current()}
        return (key for key in keys if given(self._event_dict, key) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<EventView of {self._event_dict.get('event')!r}>"
