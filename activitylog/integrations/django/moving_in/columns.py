"""Which column of an old table, or which argument of an old function, answers to which word of an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from activitylog.integrations.django.moving_in.mapping import LegacyMapping


@dataclass(frozen=True, slots=True)
class Column:
    """
    What is known of a column before its values are seen.

    Attributes:
        name: as the model or the function has it.
        entity: type of what an id in it means, such as ``chat.message``; empty where that is not known.
        is_user: it is the project's users.
        names_something: it is a foreign key, generic or not.
        is_generic: it has a type and an id.
        labels: of its choices, by value.
        reads: what is read for it, when that is not the column itself.
        covers: columns that are a part of it.
    """

    name: str
    entity: str = ""
    is_user: bool = False
    names_something: bool = False
    is_generic: bool = False
    labels: Mapping[Any, Any] | None = None
    reads: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Names under which a word is looked for, the first that is there is taken.
SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "event": _words(
            "action activity_type event_name event_type event verb action_type action_flag activity "
            "operation log_type kind type"
        ),
        "timestamp": _words(
            "timestamp created_at created created_on date_created logged_at occurred_at performed_at "
            "happened_at action_time event_time datetime date time"
        ),
        "actor": _words(
            "actor user performed_by admin admin_user staff_user staff operator done_by changed_by "
            "initiated_by created_by author member actor_id user_id performed_by_id admin_id "
            "admin_user_id staff_user_id operator_id done_by_id changed_by_id created_by_id author_id "
            "member_id"
        ),
        "tenant": _words(
            "tenant organization organisation workspace org tenant_id organization_id organisation_id "
            "workspace_id org_id"
        ),
        "message": _words("message description msg summary change_message"),
        "outcome": _words("outcome success successful is_success is_successful succeeded status result"),
        "error": _words("error error_message exception failure_reason error_code error_type"),
        "duration": _words("duration duration_seconds elapsed duration_ms elapsed_ms response_time_ms"),
        "session": _words("session_key session_id session"),
        "request_id": _words("request_id correlation_id cid"),
        "client_address": _words(
            "ip_address ip client_ip remote_ip remote_addr remote_address ip_addr client_address"
        ),
        "user_agent": _words("user_agent useragent http_user_agent ua"),
        "method": _words("http_method request_method method"),
        "path": _words("path request_path url_path url request_url"),
        "status_code": _words("status_code response_status response_code http_status"),
    }
)
#: Columns whose mappings are taken apart.
ATTRIBUTES: Final = frozenset(
    _words(
        "metadata details extra extra_data data payload context properties attributes additional_data meta info"
    )
)
#: What an action was done to, and what may be the second thing.
_OBJECTS: Final = _words("object content_object action_object obj instance related_object")
_TARGETS: Final = _words("target_object target target_user affected_user affected_object recipient to_user")
#: Columns of a type and of an id that mean one thing together.
_PAIRS: Final = tuple(
    (kind, identifier)
    for kind, identifiers in (
        ("content_type", "object_id object_pk"),
        ("object_type", "object_id object_pk"),
        ("model_name", "object_id object_pk instance_id record_id"),
        ("model", "object_id object_pk instance_id record_id"),
        ("entity_type", "entity_id"),
        ("resource_type", "resource_id"),
        ("target_type", "target_id target_object_id"),
        ("target_content_type", "target_object_id target_id"),
    )
    for identifier in identifiers.split()
)
_IDS_ALONE: Final = _words("object_id object_pk target_id")
_NAMES: Final = _words("object_name object_repr")


@dataclass(frozen=True, slots=True)
class Thing:
    """
    The columns that mean one thing together.

    Attributes:
        identifier: its id, or the thing itself.
        kind: its type, where that stands apart.
        label: how people call it.
    """

    identifier: Column
    kind: Column | None = None
    label: Column | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """All of them."""
        return tuple(column for column in (self.kind, self.identifier, self.label) if column is not None)


@dataclass(frozen=True, slots=True)
class Assignment:
    """
    Who answers to what.

    Attributes:
        words: word -> column.
        things: ``object`` and ``target``, as far as there are any.
        attributes: columns whose mappings are taken apart.
        others: columns that become attributes under their own names.
    """

    words: Mapping[str, Column]
    things: Mapping[str, Thing]
    attributes: tuple[Column, ...]
    others: tuple[Column, ...]


def assign(columns: Sequence[Column], mapping: LegacyMapping) -> Assignment:
    """
    Find the columns of the words.

    A column that the mapping names and that is not there is not looked for. Where nothing is named like an object,
    and one column is left that names something, that is it.
    """
    hidden = {name for column in columns for name in column.covers}
    known = {
        column.name: column
        for column in columns
        if column.name not in mapping.ignore and column.name not in hidden
    }
    given = mapping.assigned()
    words = {word: known[name] for word, name in given.items() if name in known}
    free = {name: column for name, column in known.items() if name not in given.values()}
    for word, synonyms in SYNONYMS.items():
        if word not in given and (found := _first(synonyms, free, word)) is not None:
            words[word] = free.pop(found.name)
    things = _things_of(words, free, given)
    for thing in things.values():
        for column in thing.columns:
            free.pop(column.name, None)
    taken_apart = ATTRIBUTES if mapping.attributes is None else mapping.attributes
    return Assignment(
        MappingProxyType(words),
        MappingProxyType(things),
        tuple(column for name, column in free.items() if name in taken_apart),
        tuple(column for name, column in free.items() if name not in taken_apart),
    )


_MAY_BE_A_KEY: Final = frozenset({"actor", "tenant"})


def _first(synonyms: Iterable[str], free: Mapping[str, Column], word: str) -> Column | None:
    for name in synonyms:
        column = free.get(name)
        if column is not None and (word in _MAY_BE_A_KEY or not column.names_something):
            return column
    return None


def _things_of(words: dict[str, Column], free: Mapping[str, Column], given: Mapping[str, str]) -> dict[str, Thing]:
    things: dict[str, Thing] = {}
    free = dict(free)
    for word in ("object", "target"):
        if word in words:
            column = words.pop(word)
            things[word] = Thing(column, _kind_beside(column, free))
            for part in things[word].columns:
                free.pop(part.name, None)
    left = iter(_candidates(free))
    for word in ("object", "target"):
        if word not in given and (thing := next(left, None)) is not None:
            things[word] = thing
    if "object" in things:
        label = _first(_NAMES, free, "object")
        things["object"] = replace(things["object"], label=label)
    return things


def _candidates(free: Mapping[str, Column]) -> list[Thing]:
    """Things by the names of their columns, the likeliest object first."""
    found: list[Thing] = []
    taken: set[str] = set()

    def take(identifier: str, kind: str | None = None) -> None:
        names = {identifier} if kind is None else {identifier, kind}
        if names <= free.keys() and not names & taken:
            taken.update(names)
            found.append(Thing(free[identifier], None if kind is None else free[kind]))

    for name in _OBJECTS:
        take(name)
    for kind, identifier in _PAIRS:
        take(identifier, kind)
    for name in (*_TARGETS, *_IDS_ALONE):
        take(name)
    if not found:
        left = [column for column in free.values() if column.names_something]
        found = [Thing(left[0])] if len(left) == 1 else []
    return found


def _kind_beside(column: Column, free: Mapping[str, Column]) -> Column | None:
    return next((free[kind] for kind, identifier in _PAIRS if identifier == column.name and kind in free), None)
