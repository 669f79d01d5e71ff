"""
The table ``[redaction]`` of the settings.

::

    [redaction]
    enabled = true                 # false: nothing is redacted
    drop = ["debug_*"]             # attributes (globs; also of nested mappings) that are left out
    mask = ["salary"]              # whose value becomes the replacement
    pseudonymize = ["actor", "client.address"]     # whose value becomes a keyed pseudonym; needs the key
    allow = ["csrf_token"]         # which no list and no built-in pattern of keys may touch
    replacement = "[redacted]"
    key = "..."                    # of the pseudonyms, at least 16 bytes; better ACTIVITYLOG_REDACTION_KEY
    key_id = "1"                   # part of each pseudonym; change it together with the key
    emails = false                 # e-mail addresses and IBANs inside texts
    ibans = false

    [redaction.patterns]           # further values to replace, in all texts
    employee = "EMP-[0-9]{6}"

The lists hold names of attributes, and keywords of ``emit`` (``actor``, ``object``, ``session``, ``error``, ...),
which mean all attributes that say who or what it is. Where two lists match, the order is allow, drop, mask,
pseudonymize. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NoReturn

from activitylog.event import ATTRIBUTE_OF_KEY
from activitylog.exceptions import ConfigurationError, check_table
from activitylog.redaction.linear import superlinear_reason

#: Attributes that the pipeline itself writes or counts by.
OWN_ATTRIBUTES: Final = frozenset(
    {
        "event",
        "timestamp",
        "trace_id",
        "span_id",
        "trace_flags",
        "log.record.uid",
        "activity.producer",
        "activity.seq",
        "activity.outcome",
        "activity.count",
        "activity.duration",
        "activity.schema.version",
        "activity.sanitized",
        "activity.redacted",
    }
)
#: Beginnings of the names of further ones.
OWN_PREFIXES: Final = ("activity.sample.", "activity.counter.")

#: What a keyword of ``emit`` stands for in the lists.
ATTRIBUTES_OF_KEYWORD: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {key: (attribute,) for key, attribute in ATTRIBUTE_OF_KEY.items()}
    | {
        "actor": ("user.id", "activity.actor.id"),
        "object": ("activity.object.id", "activity.object.ids", "activity.object.name"),
        "objects": ("activity.object.ids",),
        "target": ("activity.target.id",),
        "error": ("error.type", "exception.type", "exception.message", "exception.stacktrace"),
    }
)
_MIN_KEY_BYTES: Final = 16
_KEY_ID: Final = re.compile(r"[A-Za-z0-9]{1,16}")
_MAX_PATTERN_LENGTH: Final = 1_000


class RedactionKey:
    """The key of the pseudonyms. Neither printed nor pickled: an unpickled one is empty, as if it were unset."""

    __slots__ = ("_key",)

    def __init__(self, key: str | bytes = b"") -> None:
        self._key = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else bytes(key)

    def reveal(self) -> bytes:
        """The key itself: for the hash, never for print."""
        return self._key

    def __bool__(self) -> bool:
        return bool(self._key)

    def __repr__(self) -> str:
        return "RedactionKey('***')" if self._key else "RedactionKey()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedactionKey) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[type[RedactionKey], tuple[()]]:
        return RedactionKey, ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSettings:
    """What ``[redaction]`` says. Made by :func:`parse_redaction`, or in code, where nothing is checked."""

    enabled: bool = True
    """False: nothing is redacted, whatever the rest says."""
    drop: tuple[str, ...] = ()
    """Attributes that are left out."""
    mask: tuple[str, ...] = ()
    """Attributes whose value becomes :attr:`replacement`."""
    pseudonymize: tuple[str, ...] = ()
    """Attributes whose value becomes a pseudonym, the same for the same value under the same key."""
    allow: tuple[str, ...] = ()
    """Attributes that no list and no name of a key may touch; certain secrets inside are still found."""
    replacement: str = "[redacted]"
    """What stands where a secret was."""
    key: RedactionKey = field(default_factory=RedactionKey)
    """Of the pseudonyms."""
    key_id: str = "1"
    """Names the key in each pseudonym, so that pseudonyms before and after a rotation can be told apart."""
    emails: bool = False
    """Replace e-mail addresses inside texts."""
    ibans: bool = False
    """Replace IBANs inside texts."""
    patterns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Regular expressions of the application's own, by name: what they match is replaced, in all texts."""


def parse_redaction(table: Any) -> RedactionSettings:
    """
    Check the table ``[redaction]``.

    Raises:
        ConfigurationError: a key that nobody knows, or a value that cannot be used; without the place it is from.
    """
    if isinstance(table, RedactionSettings):
        return table
    check_table("redaction", table, _READERS)
    settings = RedactionSettings(**{key: _READERS[key](key, value) for key, value in table.items()})
    _check_contradictions(settings)
    return settings


def _check_contradictions(settings: RedactionSettings) -> None:
    for name in ("drop", "mask", "pseudonymize"):
        both = sorted(set(getattr(settings, name)) & set(settings.allow))
        if both:
            raise ConfigurationError(f"{both[0]!r} is in both {name} and allow.", hint="Leave it in one of them.")


def _boolean(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigurationError(f"{key} is a {type(value).__name__}.", hint="Accepted: true or false.")


def _names(key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
        raise ConfigurationError(
            f"{key} is a {type(value).__name__}.", hint=f'Accepted: a list of names, such as {key} = ["user.id"].'
        )
    names = tuple(value)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(
                f"{key} holds {name!r}.", hint="Accepted: names of attributes, with * and ? as wildcards."
            )
        attributes = (name, *ATTRIBUTES_OF_KEYWORD.get(name, ()))
        if key != "allow" and any(is_own(attribute) for attribute in attributes):
            raise ConfigurationError(
                f"{key} holds {name!r}, which events cannot be without.", hint="Leave it out of [redaction]."
            )
    return names


def is_own(attribute: str) -> bool:
    """Whether the pipeline itself writes the attribute, or counts by it."""
    return attribute in OWN_ATTRIBUTES or attribute.startswith(OWN_PREFIXES)


def _replacement(key: str, value: Any) -> str:
    if isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable():
        return value
    raise ConfigurationError(f"{key} cannot be used.", hint="Accepted: a printable text of 1 to 64 characters.")


def _key(key: str, value: Any) -> RedactionKey:
    found = value if isinstance(value, RedactionKey) else None
    if isinstance(value, (str, bytes)):
        found = RedactionKey(value)
    if found is None or len(found.reveal()) < _MIN_KEY_BYTES:
        _refuse_key(key)
    return found


def _refuse_key(key: str) -> NoReturn:
    raise ConfigurationError(
        f"{key} is not a text of at least {_MIN_KEY_BYTES} bytes.",
        hint="A shorter one can be guessed; secrets.token_hex(32) of Python makes a good one.",
    )


def _key_id(key: str, value: Any) -> str:
    if isinstance(value, str) and _KEY_ID.fullmatch(value):
        return value
    raise ConfigurationError(f"{key} cannot be used.", hint="Accepted: 1 to 16 letters and digits, as a text.")


def _patterns(key: str, value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{key} is not a table.", hint='Write [redaction.patterns] and a line employee = "EMP-[0-9]{6}".'
        )
    for name, pattern in value.items():
        _check_pattern(str(name), pattern)
    return MappingProxyType({str(name): pattern for name, pattern in value.items()})


def _check_pattern(name: str, pattern: Any) -> None:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= _MAX_PATTERN_LENGTH:
        raise ConfigurationError(
            f"the pattern {name!r} is no text of 1 to {_MAX_PATTERN_LENGTH:,} characters.",
            hint="Accepted: a regular expression of Python's re.",
        )
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(
            f"the pattern {name!r} is no regular expression: {error}.", hint="Correct it."
        ) from None
    if compiled.match("") is not None or compiled.search("") is not None:
        raise ConfigurationError(f"the pattern {name!r} matches the empty text.", hint="Let it need a character.")
    reason = superlinear_reason(pattern)
    if reason:
        raise ConfigurationError(
            f"the pattern {name!r} may take more than linear time on hostile texts: {reason}.",
            hint="Bound the repeats ({1,64} instead of +), or begin with a fixed text that they cannot match.",
        )


_READERS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "enabled": _boolean,
        "drop": _names,
        "mask": _names,
        "pseudonymize": _names,
        "allow": _names,
        "replacement": _replacement,
        "key": _key,
        "key_id": _key_id,
        "emails": _boolean,
        "ibans": _boolean,
        "patterns": _patterns,
    }
)
