"""The processor chain: what happens to an event dict between the rules and the record, in this order."""

from __future__ import annotations

from collections.abc import Iterable

from structlog.typing import Processor

from activitylog.event import Limits
from activitylog.processors import (
    Redact,
    Sanitize,
    add_timestamp,
    merge_context,
    name_attributes,
    name_entities,
    name_error,
)
from activitylog.redaction import RedactionSettings, Redactor


def processor_chain(
    limits: Limits, own: Iterable[Processor] = (), redactor: Redactor | None = None
) -> list[Processor]:
    """The chain up to the event dict of attributes, with the application's own processors first."""
    redactor = redactor or Redactor(RedactionSettings())
    return [
        *own,
        add_timestamp,
        merge_context,
        name_entities,
        name_error,
        name_attributes,
        Sanitize(limits, redactor.redact_text),
        Redact(redactor),
    ]
