"""
What each key of a rule may be: from what is written to the checked value.

Each reader takes the key as its reader knows it and any value, and returns the checked one, or raises a
ConfigurationError with what was given and what is accepted.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from activitylog.event import OUTCOMES
from activitylog.exceptions import ConfigurationError, shown

Read = Callable[[str, Any], Any]

MAX_NAME_LENGTH: Final = 128
_MAX_KEY_LENGTH: Final = 128
_MAX_KEYS: Final = 32
_SMALLEST_SHARE: Final = 1e-9
_DAY: Final = 86_400.0
_SECONDS_OF_UNIT: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": _DAY}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|d)")


def wrong(key: str, value: Any, accepted: str) -> ConfigurationError:
    """The error about a value: what was given, what is accepted."""
    return ConfigurationError(f"{key} is {shown(value)}.", hint=f"Accepted: {accepted}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(_float(value))


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def name(key: str, value: Any) -> str:
    """A name of a rule."""
    if isinstance(value, str) and value.strip() and len(value) <= MAX_NAME_LENGTH and value.isprintable():
        return str.__str__(value)
    raise wrong(key, value, f"printable text that is not empty, of at most {MAX_NAME_LENGTH} characters")


def boolean(key: str, value: Any) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise wrong(key, value, "true or false")


def keep(key: str, value: Any) -> bool | frozenset[str]:
    """True, or the outcomes that are never sampled."""
    if value is True:
        return True
    if not isinstance(value, (list, tuple, set, frozenset)):
        accepted = "true, or a list of outcomes that are never sampled, such as ['failure', 'denied']; [] for none"
        raise wrong(key, value, accepted)
    for outcome in value:
        if not isinstance(outcome, str) or outcome not in OUTCOMES:
            near = difflib.get_close_matches(outcome, OUTCOMES, n=1) if isinstance(outcome, str) else []
            accepted = f"Accepted: {', '.join(sorted(OUTCOMES))}."
            raise ConfigurationError(
                f"{key} has {shown(outcome)} in it, which is no outcome.",
                hint=f"Did you mean {near[0]!r}?" if near else accepted,
            )
    return frozenset(str.__str__(outcome) for outcome in value)


def share(key: str, value: Any) -> float:
    """The share of events that is kept."""
    if _is_number(value) and _SMALLEST_SHARE <= value < 1:
        return float(value)
    if _is_number(value) and value in (0, 1):
        instead = "keep" if value == 1 else "drop"
        raise ConfigurationError(f"{key} is {shown(value)}.", hint=f"Write {instead} = true instead.")
    raise wrong(key, value, f"a number below 1 and not below {_SMALLEST_SHARE}, such as 0.05")


def per_second(key: str, value: Any) -> int:
    """A bound on events a second."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**9:
        return int(value)
    if _is_number(value) and value == 0:
        raise ConfigurationError(f"{key} is {shown(value)}.", hint="Write drop = true to keep none.")
    raise wrong(key, value, "a whole number from 1 to 1,000,000,000")


def rate(key: str, value: Any) -> float:
    """Events a second to aim at."""
    if _is_number(value) and 1e-6 <= value <= 1e9:
        return float(value)
    raise wrong(key, value, "a number of events a second from 0.000001 to 1,000,000,000")


def number_of_first(key: str, value: Any) -> int:
    """How many events are kept before sampling starts."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000:
        return int(value)
    raise wrong(key, value, "a whole number from 1 to 1,000,000")


def duration(key: str, value: Any) -> float:
    """Seconds, from a number or a text with a unit."""
    seconds = -1.0
    if _is_number(value):
        seconds = float(value)
    elif isinstance(value, str) and (parts := _DURATION.fullmatch(value.strip())):
        seconds = round(float(parts[1]) * _SECONDS_OF_UNIT[parts[2]], 9)
    if 0.001 <= seconds <= _DAY:
        return seconds
    raise wrong(key, value, "a duration such as '500ms', '10s', '1m' or '2h', or seconds; one day at the most")


def attribute(key: str, value: Any) -> str:
    """A keyword of ``emit`` or the name of an attribute."""
    if isinstance(value, str) and 0 < len(value) <= _MAX_KEY_LENGTH and value.isprintable() and value.strip():
        return str.__str__(value)
    raise wrong(key, value, "the name of an attribute")


def unit(key: str, value: Any) -> str:
    """What is decided as a whole."""
    if value == "name":
        raise ConfigurationError(
            f"{key} is 'name': the events of a name are no unit.",
            hint="Accepted: event, trace, session, actor, tenant or the name of an attribute.",
        )
    if not isinstance(value, str):
        raise wrong(key, value, "event, trace, session, actor, tenant or the name of an attribute")
    return attribute(key, value)


def budget_key(key: str, value: Any) -> str:
    """What has a budget, or a place in the first ones, of its own."""
    if value == "event" or not isinstance(value, str):
        raise wrong(key, value, "trace, session, actor, tenant, name or the name of an attribute")
    return attribute(key, value)


def attributes(key: str, value: Any) -> tuple[str, ...]:
    """Names of attributes."""
    if not isinstance(value, (list, tuple)) or len(value) > _MAX_KEYS:
        raise wrong(key, value, f"a list of at most {_MAX_KEYS} names of attributes")
    names = tuple(attribute(f"{key}[{index}]", item) for index, item in enumerate(value))
    if len(set(names)) < len(names):
        raise ConfigurationError(f"{key} names an attribute twice.", hint="Name each one once.")
    return names


#: By the key of a table.
READERS: Final[Mapping[str, Read]] = MappingProxyType(
    {
        "name": name,
        "drop": boolean,
        "keep": keep,
        "durable": boolean,
        "sample": share,
        "by": unit,
        "max_per_second": per_second,
        "target_per_second": rate,
        "per": budget_key,
        "first": number_of_first,
        "first_per": budget_key,
        "first_window": duration,
        "rollup": duration,
        "rollup_by": attributes,
        "rollup_sum": attributes,
        "dry_run": boolean,
    }
)
