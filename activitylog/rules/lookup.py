"""
What an event says under a key: itself, else what is bound to the task, else its ``request``.

The order is that of the chain (:mod:`activitylog.processors`), which has not run yet. Nothing here raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from structlog.typing import EventDict

from activitylog.context import current, is_lazy, resolve
from activitylog.sanitize import sanitize

#: Python prints no integer of 4,301 digits; a number of 300 is no id.
_LONGEST_NUMBER: Final = 1e300


def given(event_dict: EventDict, key: str) -> Any:
    """What the event says under this very key, else what is bound to the task; None without either."""
    value = event_dict.get(key)
    if value is not None:
        return value
    bound = current()
    return _bound(event_dict, key, bound[key]) if key in bound else None


def _bound(event_dict: EventDict, key: str, value: Any) -> Any:
    """A bound value; a callable is called, and what it gives is put into the event."""
    if type(value) is str:
        return value
    try:
        if not is_lazy(value):
            return value
        value = resolve(value)
    except Exception:  # noqa: BLE001 - the application's callable; merge_context calls it again and flags it
        return None
    if value is not None:
        event_dict[key] = value
    return value


def found(event_dict: EventDict, names: tuple[str, ...]) -> Any:
    """What the event says under the first of these names that says anything, its ``request`` included."""
    bound = current()
    requested = "request" in event_dict or "request" in bound
    for name in names:
        value = event_dict.get(name)
        if value is None and name in bound:
            value = _bound(event_dict, name, bound[name])
        if value is None and requested:
            value = _requested(event_dict, name)
        if value is not None:
            return value
    return None


def _requested(event_dict: EventDict, key: str) -> Any:
    """What the mapping ``request``, given or bound, says under a key."""
    request = given(event_dict, "request")
    if request is None:
        return None
    try:
        return request.get(key) if isinstance(request, Mapping) else None
    except Exception:  # noqa: BLE001 - the application's mapping may raise anything; name_attributes flags it
        return None


def plain(value: Any) -> Any:
    """A value as it will be stored: text, number, boolean, bytes, list, dict or None."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return value if value - value == 0.0 else None
    try:
        values = {"value": value}
        sanitize(values)
        return values.get("value")
    except Exception:  # noqa: BLE001 - readers never raise
        return None


def text(value: Any) -> str | None:
    """A value as an id is written: text and numbers; None for anything else, and for empty text."""
    if type(value) is not str:
        value = plain(value)
        if type(value) is bool:
            value = "true" if value else "false"
        elif type(value) is int or type(value) is float:
            value = str(value) if abs(value) < _LONGEST_NUMBER else None
    return value or None if type(value) is str else None
