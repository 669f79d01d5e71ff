"""Names and attributes of changes of models, the same whichever library noticed them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from activitylog.event import EVENT_NAME_PATTERN, MAX_EVENT_NAME_LENGTH


def name_of(object: Any, verb: str, field: str = "") -> str:
    """``message.updated``, or ``conversation.members.added`` of a relation; ``object`` is ``(type, id)``."""
    kind = object[0] if isinstance(object, tuple) and object else ""
    model = str(kind).rpartition(".")[2] or "object"
    name = ".".join(filter(None, (model, field, verb)))
    fits = len(name) <= MAX_EVENT_NAME_LENGTH and EVENT_NAME_PATTERN.fullmatch(name)
    return name if fits else f"object.{verb}"


def parsed(changes: Any) -> Mapping[str, Any]:
    """Changes by field, also from their text in JSON; empty where there are none that could be read."""
    if isinstance(changes, str):
        try:
            changes = json.loads(changes)
        except ValueError:
            return {}
    return changes if isinstance(changes, Mapping) else {}


def told(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes: which fields ``changed``, and ``changes``, the old and the new value of each."""
    return {"changed": list(changes), "changes": dict(changes)} if changes else {}
