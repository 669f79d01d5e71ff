"""One event as it left the chain, and the words in which tests speak of it: the keywords of ``emit``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activitylog.event import ATTRIBUTE_OF_KEY, ENTITY_KEYS

#: What the process says of itself and not of the event.
OF_THE_PROCESS: Final = ("log.record.uid", "activity.producer", "activity.seq")
#: Keys that are fields of the event, not attributes.
_FIELDS: Final = frozenset({"outcome", "message", "timestamp", "timestamp_ns", "severity", "durable"})
_KEY_OF_ATTRIBUTE: Final = {attribute: key for key, attribute in ATTRIBUTE_OF_KEY.items()}
_OF_ENTITIES: Final = frozenset(
    {"user.id", "activity.object.ids"}
    | {f"activity.{role}.{part}" for role in ENTITY_KEYS for part in ("type", "id")}
)
_MANY: Final = 3
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _Missing:
    """What an event has under a key that it has not."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True, repr=False)
class CapturedEvent:
    """One event as it left the chain."""

    name: str
    """Its name."""
    attributes: Mapping[str, Any]
    """Attributes of the log record, by their OpenTelemetry names."""
    message: Any
    """The body."""
    timestamp_ns: int
    """Nanoseconds since the epoch."""
    severity: str
    """``INFO``, ``WARN``, ``ERROR``, ..."""
    trace_id: int
    """Zero when there was no active span."""
    span_id: int
    """Zero when there was no active span."""
    durable: bool = False
    """Whether its caller, or a rule, asked for it to be on the medium before ``emit`` returns."""

    @property
    def actor(self) -> str:
        """The actor as ``type:id``; empty when there is none."""
        if "user.id" in self.attributes:
            return f"user:{self.attributes['user.id']}"
        return self._entity("actor")

    @property
    def object(self) -> str:
        """The object as ``type:id``; empty when there is none, or more than one."""
        return "" if "activity.object.ids" in self.attributes else self._entity("object")

    @property
    def objects(self) -> list[str]:
        """The objects of an event about many, as ``type:id``; empty when it is not about many."""
        kind = self.attributes.get("activity.object.type", "")
        return [f"{kind}:{name}" if kind else name for name in self.attributes.get("activity.object.ids", ())]

    @property
    def target(self) -> str:
        """The target as ``type:id``; empty when there is none."""
        return self._entity("target")

    @property
    def outcome(self) -> str:
        """``success`` unless the event says otherwise."""
        return str(self.attributes.get("activity.outcome", "success"))

    @property
    def timestamp(self) -> dt.datetime:
        """When it happened, in UTC."""
        return _EPOCH + dt.timedelta(microseconds=self.timestamp_ns // 1000)

    @property
    def summary(self) -> str:
        """Who did what to which object, and how it ended: ``message.sent user:42 -> message:7 success``."""
        objects = self.objects
        acted_on = (
            self.object if not objects else ", ".join([*objects[:_MANY], *(["..."] if objects[_MANY:] else [])])
        )
        count = self.attributes.get("activity.count")
        parts = (
            self.name,
            self.actor,
            f"-> {acted_on}" if acted_on else "",
            f"to {self.target}" if self.target else "",
            self.outcome,
            "" if count is None else f"x{count}",
        )
        return " ".join(filter(None, parts))

    def as_dict(self, *, times: bool = False, ids: bool = False) -> dict[str, Any]:
        """
        The event in plain data, by the keywords of ``emit``: for a comparison with a literal, or a snapshot.

        Args:
            times: with ``timestamp``, as ISO 8601 text in UTC.
            ids: with the event's id, its producer and its number there, which differ from run to run unless
                :meth:`CapturedActivities.freeze` says otherwise.
        """
        found: dict[str, Any] = {"event": self.name}
        if times:
            found["timestamp"] = self.timestamp.isoformat().replace("+00:00", "Z")
        entities = {"actor": self.actor, "object": self.object, "objects": self.objects, "target": self.target}
        found |= {role: value for role, value in entities.items() if value}
        if self.message is not None:
            found["message"] = self.message
        hidden = _OF_ENTITIES if ids else _OF_ENTITIES.union(OF_THE_PROCESS)
        found |= {_KEY_OF_ATTRIBUTE.get(name, name): value for name, value in self._others(hidden)}
        return found

    def _others(self, hidden: frozenset[str]) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value in self.attributes.items() if name not in hidden)

    def __getitem__(self, key: str) -> Any:
        """What it has under a keyword of ``emit`` or the name of an attribute; KeyError when it has nothing."""
        __tracebackhide__ = True
        value = self.value(key)
        if value is MISSING:
            raise KeyError(f"{key}; the event has {', '.join(self.as_dict())}")
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """What it has under a keyword of ``emit`` or the name of an attribute, else ``default``."""
        value = self.value(key)
        return default if value is MISSING else value

    def value(self, key: str) -> Any:
        """As :meth:`get`, with a value of its own, ``MISSING``, for nothing."""
        if key in _FIELDS:
            found = getattr(self, key)
            return MISSING if found is None else found
        if key in (*ENTITY_KEYS, "objects"):
            return getattr(self, key) or MISSING
        if key in ("trace_id", "span_id"):
            number, digits = (self.trace_id, 32) if key == "trace_id" else (self.span_id, 16)
            return f"{number:0{digits}x}" if number else MISSING
        if key == "event":
            return self.name
        return self.attributes.get(ATTRIBUTE_OF_KEY.get(key, key), MISSING)

    def matches(self, expected: Mapping[str, Any]) -> bool:
        """Whether it has these values, as :class:`activitylog.testing.IsEvent` means them."""
        from activitylog.testing.expected import IsEvent  # which knows this module

        return self == IsEvent(None, **expected)

    def _entity(self, role: str) -> str:
        parts = (self.attributes.get(f"activity.{role}.{part}", "") for part in ("type", "id"))
        return ":".join(filter(None, parts))

    def __repr__(self) -> str:
        values = self.as_dict()
        return called(type(self).__name__, values.pop("event"), values)


def called(name: str, event: Any, values: Mapping[str, Any]) -> str:
    """A call in Python's words; keys that are no names of arguments are shown as they are."""
    return f"{name}({', '.join([repr(event), *(f'{key}={value!r}' for key, value in values.items())])})"
