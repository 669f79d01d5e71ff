"""What the context of a record tells the processor: keep it durably, or in the place of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.context import Context, get_value, set_value

_DURABLE: Final = "otel_spool.durable"
_REPLACES: Final = "otel_spool.replaces"
NOTHING_TOLD: Final = Context()


def durable(context: Context | None = None) -> Context:
    """A context for records that shall be on the medium when ``emit(..., context=durable())`` returns."""
    return set_value(_DURABLE, True, context)


def replacing(held: Sequence[Any], context: Context | None = None) -> Context:
    """
    A context for the record that takes the place of held ones.

    Args:
        held: for each of them, what :meth:`otel_spool.SpooledLogRecordProcessor.hold` returned, by processor.
    """
    return set_value(_REPLACES, held, context)


def is_durable(context: Context) -> bool:
    """Whether the caller waits for the medium."""
    return bool(get_value(_DURABLE, context))


def replaced_by(context: Context) -> Sequence[Any]:
    """The held records whose place the record takes."""
    return get_value(_REPLACES, context) or ()  # type: ignore[return-value]
