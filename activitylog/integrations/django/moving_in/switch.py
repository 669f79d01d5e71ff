"""
Where old call sites write: ``events``, the old ``table``, or ``both``; for all of them at once, or each by itself.

.. code-block:: python

    ACTIVITYLOG = {..., "legacy_write": os.environ.get("ACTIVITY_WRITE", "both")}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.django import conf

Mode = Literal["events", "both", "table"]
#: A mode, or what is asked for it at each call; None for what the setting says.
Write = Mode | Callable[[], Mode] | None

MODES: Final = get_args(Mode)
SETTING: Final = "legacy_write"


def read(value: Any) -> Mode:
    """
    Check a mode.

    Raises:
        ConfigurationError: it is none.
    """
    if value in MODES:
        return value  # type: ignore[no-any-return]
    raise ConfigurationError(f"write: {shown(value)} is nowhere to write.", hint=f"There are: {', '.join(MODES)}.")


def connect(_value: Mode) -> None:
    """Nothing: the setting is looked at in each call."""


def checked(write: Write) -> Write:
    """
    Check what a decorator was given.

    Raises:
        ConfigurationError: it is no mode, and nothing that could be asked.
    """
    return write if write is None or callable(write) else read(write)


def mode(write: Write) -> Mode:
    """
    Where to write now. What is no mode, and a function that fails, means ``both``: nothing is lost by it.
    """
    try:
        found = write() if callable(write) else write
        if found is None:
            found = conf.given().get(SETTING) or "events"
        return read(found)
    except Exception:  # noqa: BLE001 - the application's function may raise anything; a log call must not
        return "both"
