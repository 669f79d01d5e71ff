"""
What each setting may be: from the text of a variable, the value in a file or an argument to the checked value.

Each reader takes any value and returns the checked one, or raises a ConfigurationError saying what was expected.
No message shows what may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from activitylog.exceptions import ConfigurationError, shown
from activitylog.redaction import parse_redaction
from activitylog.rules import Rule, parse_rules
from activitylog.store_settings import parse_store
from activitylog.url import DestinationURL, parse

#: A comma before a scheme; any other comma belongs to the URL it stands in.
_BETWEEN_URLS: Final = re.compile(r",(?=\s*[a-z][a-z+]*:)")
_SHORTEST_SECRET: Final = 16
_LONGEST_SECRET: Final = 1024


def _urls(value: Any) -> tuple[DestinationURL, ...]:
    if isinstance(value, DestinationURL):
        return (value,)
    if isinstance(value, str):
        value = [part for part in _BETWEEN_URLS.split(value) if part.strip()]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise ConfigurationError(f"expected a URL or a list of URLs, got {type(value).__name__}.")
    urls = tuple(item if isinstance(item, DestinationURL) else parse(_one_url(item)) for item in value)
    if len({str(url) for url in urls}) != len(urls):
        raise ConfigurationError("the same destination is named twice.", hint="Name each one once.")
    return urls


def _one_url(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ConfigurationError(f"expected a URL, got {type(value).__name__}.")


def _text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ConfigurationError(f"expected a text that is not empty, got {shown(value)}.")


def _attributes(value: Any) -> Mapping[str, str]:
    if isinstance(value, Mapping):
        return MappingProxyType({str(key): str(item) for key, item in value.items()})
    if not isinstance(value, str):
        raise ConfigurationError(f"expected a table or key=value,key=value, got {type(value).__name__}.")
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(key.strip() and equals for key, equals, _ in pairs):
        raise ConfigurationError("expected key=value,key=value.", hint="Write ',' inside a value as %2C.")
    return MappingProxyType({key.strip(): unquote(item.strip()) for key, _, item in pairs})


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    answers = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, str) and value.strip().lower() in answers:
        return answers[value.strip().lower()]
    raise ConfigurationError(f"expected true or false, got {shown(value)}.")


def _whole(minimum: int, maximum: int = 2**30) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        try:
            number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or not minimum <= number <= maximum:
            raise ConfigurationError(
                f"expected a whole number from {minimum:,} to {maximum:,}, got {shown(value)}."
            )
        return number

    return read


def _seconds(value: Any) -> float:
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not 0 < number < 1e9:
        raise ConfigurationError(
            f"expected a number of seconds above 0 and below 1,000,000,000, got {shown(value)}."
        )
    return number


def _one_of(*accepted: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value in accepted:
            return str(value)
        *others, last = map(repr, accepted)
        raise ConfigurationError(f"expected {', '.join(others)} or {last}, got {shown(value)}.")

    return read


def _rules(value: Any) -> tuple[Rule, ...]:
    if isinstance(value, str):
        raise ConfigurationError(
            "rules cannot be given as a text.",
            hint="Write [[rules]] into a file, and name it by the setting rules_file (ACTIVITYLOG_RULES_FILE).",
        )
    return parse_rules(value)


def _path(value: Any) -> Path:
    if isinstance(value, (str, Path)) and str(value).strip() and "\0" not in str(value):
        with suppress(RuntimeError, OSError):  # a home that nobody knows, a working directory that is gone
            return Path(value).expanduser().absolute()
    raise ConfigurationError(f"expected the path of a file, got {shown(value)}.")


def _secret(value: Any) -> str:
    if isinstance(value, str) and _SHORTEST_SECRET <= len(value.strip()) <= _LONGEST_SECRET:
        return value.strip()
    raise ConfigurationError(
        f"expected a text of {_SHORTEST_SECRET} to {_LONGEST_SECRET:,} characters.",
        hint="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
    )


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "url": _urls,
    "service_name": _text,
    "resource_attributes": _attributes,
    "enabled": _boolean,
    "strict": _boolean,
    "max_queue_size": _whole(1, 10_000_000),
    "max_export_batch_size": _whole(1, 10_000_000),
    "schedule_delay_millis": _whole(1, 86_400_000),
    "durability": _one_of("memory", "process", "power"),
    "spool_directory": _path,
    "spool_max_bytes": _whole(8 * 1024 * 1024, 2**50),
    "spool_max_age_seconds": _seconds,
    "overflow": _one_of("drop", "drop_newest", "block"),
    "overflow_timeout_seconds": _seconds,
    "shutdown_timeout_seconds": _seconds,
    "export_timeout_seconds": _seconds,
    "retry_deadline_seconds": _seconds,
    "create_schema": _boolean,
    "max_depth": _whole(1),
    "max_attributes": _whole(1),
    "max_value_bytes": _whole(64),
    "max_event_bytes": _whole(1024),
    "rules": _rules,
    "rules_file": _path,
    "rules_reload_seconds": _seconds,
    "dry_run": _boolean,
    "sampling_key": _secret,
    "counters": _boolean,
    "metrics": _boolean,
    "seals": _boolean,
    "store": parse_store,
    "redaction": parse_redaction,
}
#: Settings that are paths: of a settings file, relative to its folder.
PATHS: Final = frozenset(key for key, reader in READERS.items() if reader is _path)
