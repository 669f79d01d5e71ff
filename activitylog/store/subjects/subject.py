"""
Whom or what a command is about: an actor, an object or a tenant, and the SQL conditions that find its rows.

Ids come from people. They reach SQL as server-side parameters only, and are compared whole and as they are
written: ``user:4`` is not ``user:42``, ``user:ann`` is not ``user:Ann``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from activitylog.exceptions import ConfigurationError
from activitylog.store.columns import EVENTS_TABLE

Kind = Literal["actor", "object", "tenant"]

HOURLY_TABLE: Final = "activity_events_hourly"
ACTOR_DAILY_TABLE: Final = "activity_events_actor_daily"
COUNTERS_TABLE: Final = "activity_counters"

#: Tables with rows of a subject, by its kind. The hourly counts and the counters hold no actor and no object.
TABLES: Final[dict[Kind, tuple[str, ...]]] = {
    "actor": (EVENTS_TABLE, ACTOR_DAILY_TABLE),
    "object": (EVENTS_TABLE,),
    "tenant": (EVENTS_TABLE, ACTOR_DAILY_TABLE, HOURLY_TABLE, COUNTERS_TABLE),
}
_OWN: Final[dict[Kind, str]] = {
    "actor": "ActorType = {subject_type:String} AND ActorId = {subject_id:String}",
    "object": "ObjectType = {subject_type:String} AND ObjectId = {subject_id:String}",
    "tenant": "TenantId = {subject_id:String}",
}
_WITHIN: Final = "TenantId = {subject_tenant:String}"
#: What is no part of a word: ``user 42.`` names 42, ``42-a`` does not.
_EDGE: Final = r"[^\pL\pN_-]"
_SPECIAL: Final = re.compile(r"([\\.+*?()|\[\]{}^$/-])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    An actor, an object or a tenant.

    Attributes:
        kind: which of them.
        id: never empty: that would be everybody who has none.
        type: of an actor or object, may be empty; of a tenant empty.
        tenant: only what is in this tenant (may be the empty one); everywhere when None.

    Raises:
        ConfigurationError: an empty id, a tenant within a tenant, or bytes that are no UTF-8.
    """

    kind: Kind
    id: str
    type: str = ""
    tenant: str | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise ConfigurationError(
                f"The {self.kind} has no id: that would be all events without one.",
                hint=f"Name one: {'acme' if self.kind == 'tenant' else 'user:42'}.",
            )
        if any("\ud800" <= char <= "\udfff" for char in self.name + (self.tenant or "")):
            raise ConfigurationError(f"The {self.kind} is no text in UTF-8.", hint="Give it as the store has it.")
        if self.kind == "tenant" and (self.tenant is not None or self.type):
            raise ConfigurationError("A tenant has no type and no tenant.", hint="Give its id alone.")

    @property
    def name(self) -> str:
        """``user:42``, or the id alone where there is no type."""
        return f"{self.type}:{self.id}" if self.type else self.id

    @property
    def own(self) -> str:
        """The condition for the subject's own rows, in any of its :data:`TABLES`."""
        return _OWN[self.kind] + (f" AND {_WITHIN}" if self.tenant is not None else "")

    @property
    def within(self) -> str:
        """The condition for all that the subject's tenant has; of all rows without one."""
        return _WITHIN if self.tenant is not None else "1"

    @property
    def parameters(self) -> dict[str, str]:
        """Values of the parameters in all conditions about the subject, in this package."""
        return {
            "subject_id": self.id,
            "subject_type": self.type,
            "subject_name": self.name,
            "subject_tenant": self.tenant or "",
            "subject_word": word_pattern(self.id),
        }

    def named_in(self, text: str) -> bool:
        """Whether a text names the subject, in any case of letters."""
        edge = r"(?:^|[^\w-]|$)"
        return re.search(f"{edge}{re.escape(self.id)}{edge}", text, re.IGNORECASE) is not None


def word_pattern(text: str) -> str:
    """A pattern for ClickHouse's ``match`` (RE2) that finds the text where it stands as a word of its own."""
    quoted = _SPECIAL.sub(r"\\\1", text).replace("\0", r"\x00").replace("\n", r"\n")
    return f"(?:^|{_EDGE}){quoted}(?:$|{_EDGE})"


def subject(*, actor: str | None = None, object_: str | None = None, tenant: str | None = None) -> Subject:
    """
    Read a subject as people name it.

    Args:
        actor: ``type:id``, split at the first colon as ``emit`` does; ``:id`` is an actor without a type.
        object_: the same for an object.
        tenant: a tenant; beside an actor or object: only what is in that tenant.

    Raises:
        ConfigurationError: none of them, two of them, or one without colon or id.
    """
    if actor is not None and object_ is not None:
        raise ConfigurationError("An actor and an object are two subjects.", hint="Give one of them.")
    if actor is not None:
        return _of_type("actor", actor, tenant)
    if object_ is not None:
        return _of_type("object", object_, tenant)
    if tenant is None:
        raise ConfigurationError(
            "Nobody is named.", hint="Give --actor user:42, --object order:A-17 or --tenant acme."
        )
    return Subject(kind="tenant", id=tenant)


def _of_type(kind: Kind, text: str, tenant: str | None) -> Subject:
    type_, colon, id_ = text.partition(":")
    if not colon:
        raise ConfigurationError(
            f"The {kind} {text!r} has no type.",
            hint=f"Write type:id, such as user:{text}; without a type it is stored as one, write :{text}.",
        )
    return Subject(kind=kind, type=type_, id=id_, tenant=tenant)
