"""How a spool is kept: levels of durability, bounds, and what gives way when they are reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from opentelemetry._logs import LogRecord

from otel_spool.exceptions import ConfigurationError
from otel_spool.segment import IMPORTANT, ORDINARY

#: ``process``: written before ``on_emit`` returns, so it survives the process. ``power``: and synced soon after,
#: so it survives the machine, as far as the disk tells the truth.
Durability = Literal["process", "power"]
#: What gives way when the spool is full: the oldest of the least important events, the new event, or the caller's
#: time, up to a limit.
Overflow = Literal["drop_oldest", "drop_newest", "block"]

_WARN: Final = 13
_LONGEST_SEGMENT_AGE_SECONDS: Final = 3600.0


def importance(record: LogRecord) -> int:
    """The lane of a record: warnings and errors are important."""
    severity = record.severity_number
    # Not ``.value``, which is a descriptor in Python and a tenth of what it costs to keep an event.
    return IMPORTANT if severity is not None and severity._value_ >= _WARN else ORDINARY


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolOptions:
    """
    Settings of a spool. All sizes are bytes, all times seconds.

    Raises:
        ConfigurationError: a value cannot be used.
    """

    durability: Durability = "process"
    max_bytes: int = 256 * 1024 * 1024
    """Of the whole folder, shared by all its processes."""
    max_age_seconds: float = 7 * 24 * 3600.0
    """Older events are given up, as ``expired``."""
    segment_bytes: int = 4 * 1024 * 1024
    """A segment is sealed when it has grown to that."""
    max_queue_bytes: int = 32 * 1024 * 1024
    """Of events that wait in memory, too; what comes beyond is on disk only until there is room."""
    overflow: Overflow = "drop_oldest"
    overflow_timeout_seconds: float = 10.0
    """How long ``block`` blocks."""
    sync_interval_seconds: float = 0.1
    """Under ``power``: how old an event may become before it is synced."""
    importance: Callable[[LogRecord], int] = importance
    report_losses: bool = False
    """Somebody asks for the losses (``take_losses``): a folder that has some stays until they were asked for."""

    @property
    def segment_age_seconds(self) -> float:
        """A segment that is older is sealed: how much older than its newest event it can be."""
        return min(_LONGEST_SEGMENT_AGE_SECONDS, self.max_age_seconds / 10)

    @property
    def letters_bytes(self) -> int:
        """What dead letters may take."""
        return self.max_bytes // 4

    @property
    def quarantine_bytes(self) -> int:
        """What may be put aside because it cannot be read."""
        return self.max_bytes // 8

    def __post_init__(self) -> None:
        _one_of("durability", self.durability, get_args(Durability))
        _one_of("overflow", self.overflow, get_args(Overflow))
        _at_least("segment_bytes", self.segment_bytes, 4096)
        _at_least("max_bytes", self.max_bytes, 2 * self.segment_bytes)
        _at_least("max_queue_bytes", self.max_queue_bytes, 1)
        for name in ("max_age_seconds", "overflow_timeout_seconds", "sync_interval_seconds"):
            _positive(name, getattr(self, name))


def _one_of(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ConfigurationError(f"{name} is {value!r}.", hint=f"It is one of {', '.join(accepted)}.")


def _at_least(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigurationError(f"{name} is {value!r}.", hint=f"It is a number of bytes, at least {least:,}.")


def _positive(name: str, value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} is {value!r}.", hint="It is a number of seconds above zero.")
