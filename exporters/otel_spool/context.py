"""What the context of a record tells the processor: keep it durably, in the place of others, or with others."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Final

from opentelemetry.context import Context, set_value

_DURABLE: Final = "otel_spool.durable"
_REPLACES: Final = "otel_spool.replaces"
_GATHERED: Final = "otel_spool.gathered"
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


def gathering(gathered: MutableMapping[Any, list[Any]], context: Context | None = None) -> Context:
    """
    A context for one of many records that are written down together.

    Args:
        gathered: a mapping of the caller's own, into which each processor puts its records, until it is told to
            write them (:meth:`otel_spool.SpooledLogRecordProcessor.write_gathered`).
    """
    return set_value(_GATHERED, gathered, context)


def is_durable(context: Context) -> bool:
    """Whether the caller waits for the medium."""
    return bool(context.get(_DURABLE))


def replaced_by(context: Context) -> Sequence[Any]:
    """The held records whose place the record takes."""
    return context.get(_REPLACES) or ()  # type: ignore[return-value]


def gathered_in(context: Context) -> MutableMapping[Any, list[Any]] | None:
    """Where the record waits for others; None when it does not."""
    return context.get(_GATHERED)  # type: ignore[return-value]
