"""
django-easy-audit: its backend that emits events instead of writing rows, and the import of the rows that are
there.

.. code-block:: python

    DJANGO_EASY_AUDIT_LOGGING_BACKEND = "activitylog.integrations.django.moving_in.easy_audit.ActivityBackend"

What the library does to know what changed remains: it reads the old row before each update, turns rows into
JSON, opens a transaction for each event, and asks for the user once more, unless
``DJANGO_EASY_AUDIT_CHECK_IF_REQUEST_USER_EXISTS`` is False. Logins are told by ``ACTIVITYLOG["auth_events"]``,
too: set that, or ``DJANGO_EASY_AUDIT_WATCH_AUTH_EVENTS``, to False.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from activitylog import config
from activitylog.integrations.django.moving_in import emission
from activitylog.integrations.django.moving_in.changes import name_of, parsed, told
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.plan import LEGACY_ACTION, Plan
from activitylog.integrations.django.moving_in.rows import columns_of
from activitylog.redaction.keys import names_secret, words_of

#: By the library's numbers: of rows, and of relations from either end.
_VERBS: Final[Mapping[Any, str]] = {1: "created", 2: "updated", 3: "deleted", 4: "updated", 5: "updated"}
_OF_RELATIONS: Final[Mapping[Any, str]] = {
    6: "added",
    7: "added",
    8: "removed",
    9: "removed",
    10: "cleared",
    11: "cleared",
}
_LOGINS: Final[Mapping[Any, str]] = {0: "user.logged_in", 1: "user.logged_out", 2: "user.login_failed"}
_FAILED_LOGIN: Final = 2


def _crud(event: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    kind, thing, changes = row.get("event_type"), event.get("object"), parsed(row.get("changed_fields"))
    if event.get("actor") is None and row.get("user_pk_as_string"):  # the user is gone
        event["actor"] = ("user", row["user_pk_as_string"])
    if kind in _OF_RELATIONS:
        field, keys = next(iter(changes.items()), ("", ()))
        related = {"related": list(keys)} if isinstance(keys, (list, tuple)) and keys else {}
        return {**event, "event": name_of(thing, _OF_RELATIONS[kind], field), **related}
    return {**event, "event": name_of(thing, _VERBS.get(kind, "changed")), **told(changes)}


def _login(event: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    kind = row.get("login_type")
    if kind == _FAILED_LOGIN:
        event["outcome"] = "failure"
    return {**event, "event": _LOGINS.get(kind, "user.authenticated")}


def _request(event: dict[str, Any], _row: Mapping[str, Any]) -> dict[str, Any]:
    query = event.pop("query_string", None)
    if isinstance(query, bytes):
        query = query.decode(errors="replace")
    return {**event, **({"url.query": _without_secrets(str(query))} if query else {})}


def _without_secrets(query: str) -> str:
    """A query, with the values of parameters left out whose names are those of secrets."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, "redacted" if names_secret(words_of(name)) else value) for name, value in pairs])


#: Of ``easyaudit.CRUDEvent``. The row as JSON is left out: it holds all of it, whoever may see it.
CRUD: Final = LegacyMapping(
    event="event_type",
    ignore=["object_json_repr", "changed_fields", "user_pk_as_string"],
    adjust=_crud,
)
#: Of ``easyaudit.LoginEvent``.
LOGIN: Final = LegacyMapping(event="login_type", rename={"username": "user.name"}, adjust=_login)
#: Of ``easyaudit.RequestEvent``.
REQUEST: Final = LegacyMapping(event="", names={"": "request.started"}, adjust=_request)


class ActivityBackend:
    """A logging backend of django-easy-audit. Its methods never raise, unless activitylog is strict."""

    def crud(self, crud_info: Mapping[str, Any]) -> None:
        """What happened to a row."""
        self._emit("CRUDEvent", crud_info)

    def login(self, login_info: Mapping[str, Any]) -> None:
        """A login, a logout, or a login that failed."""
        self._emit("LoginEvent", login_info)

    def request(self, request_info: Mapping[str, Any]) -> None:
        """A request that came in."""
        self._emit("RequestEvent", request_info)

    def _emit(self, model: str, info: Mapping[str, Any]) -> None:
        try:
            plan = _plan(model)
            event = plan.event([info.get(name) for name in plan.reads])
            if event is not None:
                event.pop(LEGACY_ACTION, None)  # no row has it
                emission.emit(event, using=_database())
        except Exception as error:  # noqa: BLE001 - it would end the request; counted
            config.fail(error, model)


_MAPPINGS: Final = {"CRUDEvent": CRUD, "LoginEvent": LOGIN, "RequestEvent": REQUEST}


@cache
def _plan(model: str) -> Plan:
    from easyaudit import models  # type: ignore[import-untyped]

    return Plan(columns_of(getattr(models, model)), _MAPPINGS[model])


def _database() -> str:
    from easyaudit.settings import DATABASE_ALIAS  # type: ignore[import-untyped]

    return str(DATABASE_ALIAS)
