"""The import: chunk after chunk, in the order that keeps every row once (see the package)."""

from __future__ import annotations

import gc
import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django.moving_in.importing.delivery import Delivery
from activitylog.integrations.django.moving_in.importing.records import Records
from activitylog.integrations.django.moving_in.importing.source import NS_OF_DAY, Row, Source
from activitylog.integrations.django.moving_in.importing.state import Chunk, Progress, RefusedRows, State
from activitylog.integrations.django.moving_in.importing.stored import Overview, Stored
from activitylog.integrations.django.moving_in.plan import LEGACY_PK, Event, RowRefused

_HOUR_NS: Final = 3_600 * 10**9
_CHUNKS_TO_COLLECT: Final = 20


@dataclass(frozen=True, slots=True)
class Parts:
    """What an import is made of."""

    source: Source
    stored: Stored
    records: Records
    delivery: Delivery
    state: State


def begin(parts: Parts, until_ns: int) -> Progress:
    """
    A new import.

    Raises:
        ConfigurationError: rules have thinned events of rows that would be imported.
    """
    overview = parts.stored.overview()
    _check_not_thinned(overview, until_ns)
    # Where old call sites write both, events of the newest rows come while this runs.
    check_from_ns = overview.first_ns - NS_OF_DAY if overview.events else time.time_ns() - _HOUR_NS
    return Progress(check_from_ns=check_from_ns)


def _check_not_thinned(overview: Overview, until_ns: int) -> None:
    if not overview.thinned or overview.first_thinned_ns >= until_ns:
        return
    first = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(overview.first_thinned_ns // 10**9))
    raise ConfigurationError(
        f"{overview.thinned:,} events of this table's rows were sampled or rolled up by rules, and stand for rows "
        "that would be imported once more.",
        hint=f"Import what is before them: --until {first}Z.",
    )


class Import:
    """
    One import, from where it is to the end of the table.

    Args:
        progress: how far it is; changed as it goes on.
        batch: rows in a chunk.
        show: told how many rows are done.
    """

    def __init__(self, parts: Parts, progress: Progress, *, batch: int, show: Callable[[int], object]) -> None:
        self._source, self._stored, self._records = parts.source, parts.stored, parts.records
        self._delivery, self._state = parts.delivery, parts.state
        self._progress = progress
        self._batch = batch
        self._show = show

    def run(self) -> None:
        """
        Import the rows.

        Raises:
            StoreError: the store cannot be asked, or does not take rows for too long; the state says how far it
            is.
        """
        self._refused = RefusedRows(self._state.refused, self._progress.refused_bytes)
        try:
            with _collecting_rarely() as chunk_done:
                begun = self._progress.begun
                if begun is not None:
                    self._import(self._source.between(begun.after, begun.last), begun, is_again=True)
                for rows in self._source.chunks(self._batch, after=self._progress.after):
                    self._import(rows, Chunk(self._progress.after, rows[-1][0], time.time_ns()), is_again=False)
                    chunk_done()
            self._progress.finished = True
            self._state.save(self._progress)
        finally:
            self._refused.close()

    def _import(self, rows: list[Row], chunk: Chunk, *, is_again: bool) -> None:
        progress = self._progress
        progress.begun, progress.finished = chunk, False
        self._state.save(progress)
        changed = self._records.changed
        events = self._missing(self._events(rows), is_again=is_again)
        records, dropped = self._records.of_chunk(_token(progress.run, chunk), events)
        for key in dropped:
            self._leave_out(_values(rows, key))
        stored = self._send(records, rows, chunk, is_again=is_again)
        progress.counts.update(read=len(rows), stored=stored, changed=self._records.changed - changed)
        progress.after, progress.begun = chunk.last, None
        progress.refused_bytes = self._refused.sync()
        self._show(progress.counts["read"])

    def _events(self, rows: list[Row]) -> list[tuple[Any, Event]]:
        """The events of rows, by their keys; what is no event is noted."""
        plan, events = self._source.plan, []
        for key, values in rows:
            try:
                event = plan.event(values, strict=True)
            except RowRefused as refusal:
                self._refuse(key, str(refusal), values)
            except Exception as error:  # noqa: BLE001 - the mapping's own function may raise anything
                self._refuse(key, f"{type(error).__name__}: {error}", values)
            else:
                if event is None:
                    self._leave_out(values)
                else:
                    events.append((key, event))
        return events

    def _missing(self, events: list[tuple[Any, Event]], *, is_again: bool) -> list[tuple[Any, Event]]:
        """Those that the store does not have, where it may have any."""
        if not events:
            return events
        times = [event["timestamp"] for _, event in events]
        if not is_again and max(times) < self._progress.check_from_ns:
            return events
        keys = [key for key, _ in events]
        present = self._stored.present(keys, min(times) - NS_OF_DAY, max(times) + NS_OF_DAY)
        missing = [(key, event) for key, event in events if str(key) not in present]
        self._progress.counts["present"] += len(events) - len(missing)
        return missing

    def _send(self, records: list[Any], rows: list[Row], chunk: Chunk, *, is_again: bool) -> int:
        if not records:
            return 0
        first_attempt_ns = chunk.began_ns if is_again else None
        refused = self._delivery.send(records, _token(self._progress.run, chunk), first_attempt_ns)
        for place, why in refused.items():
            key = records[place].log_record.attributes[LEGACY_PK]
            self._refuse(key, why, _values(rows, key))
        return len(records) - len(refused)

    def _refuse(self, key: Any, reason: str, values: Sequence[Any]) -> None:
        self._progress.counts["refused"] += 1
        self._note_not_stored(values)
        self._refused.write(key, reason, dict(zip(self._source.plan.reads, values, strict=True)))

    def _leave_out(self, values: Sequence[Any]) -> None:
        self._progress.counts["left_out"] += 1
        self._note_not_stored(values)

    def _note_not_stored(self, values: Sequence[Any]) -> None:
        place = self._source.day_and_action(values)
        if place is not None:
            self._progress.not_stored[f"{place[0]} {place[1]}"] += 1


@contextmanager
def _collecting_rarely() -> Iterator[Callable[[], None]]:
    """
    A block in which garbage is collected once in a while.

    The objects of a chunk are all gone when it is done. Python's collector would go through them again and again
    until then, which took a fifth of the time.
    """
    was_enabled, chunks = gc.isenabled(), itertools.count(1)

    def chunk_done() -> None:
        if not next(chunks) % _CHUNKS_TO_COLLECT:
            gc.collect()

    gc.disable()
    try:
        yield chunk_done
    finally:
        if was_enabled:
            gc.enable()


def _values(rows: list[Row], key: Any) -> Sequence[Any]:
    return next(values for own, values in rows if str(own) == str(key))


def _token(run: str, chunk: Chunk) -> str:
    """Of the chunk's insert: the same for whoever goes on with this import, another one for every other import."""
    text = f"{run} {chunk.after} {chunk.last}"
    return f"legacy-import:{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"
