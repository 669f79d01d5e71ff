"""Options that say what stands in a log file, the same for ``ingest`` and ``rules simulate``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import click

from activitylog.exceptions import ConfigurationError
from activitylog.ingest import (
    REQUEST_SERVED,
    Defaults,
    Event,
    Fields,
    Lines,
    Rejected,
    mapped,
    read_access_log,
    read_ndjson,
    reader,
    recognise,
)

Readings = Iterator[tuple[int, Event | Rejected]]


@dataclass(frozen=True, slots=True)
class Reading:
    """
    How a file is read.

    Attributes:
        form: ``ndjson``, ``access``, or ``auto``: by its first lines.
        where: under which keys the words of an event are.
        defaults: what an event gets where its line says nothing.
        limit: lines that are read; None for all.
    """

    form: str
    where: Fields
    defaults: Defaults
    limit: int | None

    def readings(self, lines: Lines) -> tuple[str, Readings]:
        """
        The form that the lines have, and what each of them says.

        Raises:
            ActivityLogError: lines of no known form, or a default that cannot be used.
        """
        form, found = self.form, iter(lines)
        if form == "auto":
            form, found = recognise(found)
        if form == "ndjson":
            readings = read_ndjson(found, reader(self.where, self.defaults))
        else:
            name = self.defaults.event or REQUEST_SERVED
            readings = read_access_log(found, event=name, tenant=self.defaults.tenant)
        return form, islice(readings, self.limit)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what stands in its file, and pass it ``reading``."""

    @click.option(
        "--format", "form", type=click.Choice(["auto", "ndjson", "access"]), default="auto", show_default=True
    )
    @click.option(
        "--map",
        "assignments",
        multiple=True,
        metavar="WORD=KEY",
        help="Take a word of the event from this key; several keys with commas are tried in order, `a.b` is a "
        f"path, none stops looking. Words: {', '.join(Fields.__slots__)}.",
    )
    @click.option("--event", metavar="NAME", help=f"One name for all  [access log: {REQUEST_SERVED}].")
    @click.option("--actor-type", default="user", show_default=True, help="Type of actors that come without one.")
    @click.option(
        "--object-type", default="object", show_default=True, help="Type of objects that come without one."
    )
    @click.option("--tenant", help="Tenant of records that name none.")
    @click.option("--limit", type=click.IntRange(min=1), help="Read at most this many lines.")
    @functools.wraps(command)
    def with_reading(
        *,
        form: str,
        assignments: tuple[str, ...],
        event: str | None,
        actor_type: str,
        object_type: str,
        tenant: str | None,
        limit: int | None,
        **options: Any,
    ) -> Any:
        defaults = Defaults(event, actor_type, object_type, object_type, tenant)
        return command(reading=Reading(form, mapped(_pairs(assignments)), defaults, limit), **options)

    return with_reading


def _pairs(assignments: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in assignments:
        word, equals, key = text.partition("=")
        if not equals:
            raise ConfigurationError(
                f"--map {text!r} has no '='.", hint="Write --map WORD=KEY, such as --map actor=user_name."
            )
        pairs[word.strip().replace("-", "_")] = key
    return pairs


def as_call(event: Event) -> str:
    """The event as the line of Python that would emit it."""
    words = {key: value for key, value in event.items() if key != "event"}
    plain = {key: value for key, value in words.items() if key.isidentifier()}
    other = {key: value for key, value in words.items() if key not in plain}
    arguments = [repr(event["event"]), *(f"{key}={value!r}" for key, value in plain.items())]
    return f"emit({', '.join([*arguments, *([f'**{other!r}'] if other else [])])})"
