"""What a team says of its old table or function: which column is which word of an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

from activitylog.event import OUTCOMES
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.django.moving_in.names import EventNames

#: Keywords of ``emit``, and the row or the arguments that they were made of; returns them, or None to leave it
#: out.
Adjust = Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyMapping:
    """
        How the columns of an old table, or the arguments of an old function, become an event.

        .. code-block:: python

            LegacyMapping(actor="performed_by", event="activity_type", names={"PWD": "password.changed"},
    ignore=["notes"])

        Each word takes the name of a column; None looks for the names of :data:`.columns.SYNONYMS`, and an empty
        text looks for nothing. A column that no word takes becomes an attribute under its own name.

        Attributes:
            event: what happened; its texts become event names (:mod:`.names`).
            actor: who did it.
            object: what it was done to: a foreign key, a generic one by its own name, or the column of an id.
            target: the second thing.
            tenant: whose data it is.
            message: a sentence for people.
            timestamp: when it happened; without a zone it is the project's ``TIME_ZONE``.
            outcome: a truth value, or a text such as ``ok`` or ``failed``.
            error: what went wrong.
            duration: seconds, or a ``timedelta``; of a column whose name ends in ``_ms``, milliseconds.
            session: a session's key, of which the event gets an id that gives nobody access.
            request_id: id of the request.
            client_address: where it came from.
            user_agent: what the client calls itself.
            method: of the HTTP request.
            path: its path; a query is left out.
            status_code: of the answer.
            attributes: columns whose mappings are taken apart, a key an attribute.
            names: event names for the texts of actions that the rule does not name well; globs, too.
            noun: what was acted upon where a text names only a verb. By default what the name of the model or the
                function says.
            outcomes: outcomes for texts that are not known as any.
            ignore: columns that events do not get.
            rename: column -> name of its attribute.
            constants: attributes that every event gets.
            adjust: has the last word.

        Raises:
            ConfigurationError: a name or an outcome that is none.
    """

    event: str | None = None
    actor: str | None = None
    object: str | None = None
    target: str | None = None
    tenant: str | None = None
    message: str | None = None
    timestamp: str | None = None
    outcome: str | None = None
    error: str | None = None
    duration: str | None = None
    session: str | None = None
    request_id: str | None = None
    client_address: str | None = None
    user_agent: str | None = None
    method: str | None = None
    path: str | None = None
    status_code: str | None = None
    attributes: Sequence[str] | None = None
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    noun: str | None = None
    outcomes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ignore: Sequence[str] = ()
    rename: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    constants: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    adjust: Adjust | None = None

    def __post_init__(self) -> None:
        EventNames(self.names)
        for text, outcome in self.outcomes.items():
            if outcome not in OUTCOMES:
                raise ConfigurationError(
                    f"outcomes: {shown(outcome)}, for {shown(text)}, is no outcome.",
                    hint=f"There are: {', '.join(sorted(OUTCOMES))}.",
                )
        for name in ("attributes", "ignore"):
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(
                    f"{name}: expected a list of columns, got a text.", hint='Write ["a", "b"].'
                )

    def assigned(self) -> dict[str, str]:
        """The words that were given a column, and those that were given none (an empty text)."""
        found = {word: getattr(self, word) for word in SINGLE_WORDS}
        return {word: column for word, column in found.items() if column is not None}

    def columns(self) -> list[str]:
        """Every column that is named somewhere."""
        named = [column for column in self.assigned().values() if column]
        return [*named, *(self.attributes or ()), *self.ignore, *self.rename]


#: Words that one column answers to.
SINGLE_WORDS: Final = tuple(
    one.name
    for one in fields(LegacyMapping)
    if one.name not in ("attributes", "names", "noun", "outcomes", "ignore", "rename", "constants", "adjust")
)
