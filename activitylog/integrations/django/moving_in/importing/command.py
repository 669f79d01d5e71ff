"""What ``manage.py import_activity`` does, without its options' parser."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import models

from activitylog.destinations import exporter_builder
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django import conf
from activitylog.integrations.django.moving_in.importing import comparing
from activitylog.integrations.django.moving_in.importing.delivery import Delivery
from activitylog.integrations.django.moving_in.importing.records import Records
from activitylog.integrations.django.moving_in.importing.run import Import, Parts, begin
from activitylog.integrations.django.moving_in.importing.source import Source
from activitylog.integrations.django.moving_in.importing.state import Progress, State
from activitylog.integrations.django.moving_in.importing.stored import Stored
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.old_model import legacy_of
from activitylog.settings import Settings, load_settings
from activitylog.spooling import spool_directory
from activitylog.url import DestinationURL, parse
from otel_delivery import DeliversBatches

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Told how many rows are done.
Show = Callable[[int], object]

_STORES: Final = ("chdb", "clickhouse")
_NOT_SETTINGS: Final = ("processors", "logger_provider")
#: Rows that are still being committed are left for the next time.
_SETTLE: Final = dt.timedelta(seconds=60)
_LONGEST_ATTEMPT_SECONDS: Final = 60.0
_MAPPINGS: Final = "activitylog.integrations.django.moving_in"
#: Mappings of tables that others have made.
KNOWN: Final = {
    "auditlog.logentry": f"{_MAPPINGS}.auditlog.MAPPING",
    "easyaudit.crudevent": f"{_MAPPINGS}.easy_audit.CRUD",
    "easyaudit.loginevent": f"{_MAPPINGS}.easy_audit.LOGIN",
    "easyaudit.requestevent": f"{_MAPPINGS}.easy_audit.REQUEST",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What is asked for.

    Attributes:
        model: of the table.
        mapping: dotted path of a mapping; None for that of the decorated model, or what columns' names say.
        database: alias.
        url: of the store; None for the first store of the settings.
        since, until: aware.
        batch: rows in a chunk.
        source: what the table is called in events; None for the model's label.
        state: folder of the state's files.
        wait: seconds for which a store that takes nothing is waited for.
    """

    model: type[models.Model]
    mapping: str | None = None
    database: str = "default"
    url: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    batch: int = 10_000
    source: str | None = None
    state: Path | None = None
    wait: float = 600.0


def source_of(order: Order) -> Source:
    """The table, as it was ordered."""
    legacy = legacy_of(order.model)
    until = order.until or dt.datetime.now(dt.UTC) - _SETTLE
    name = order.source or (legacy.source if legacy is not None else order.model._meta.label_lower)
    return Source(order.model, _mapping(order), name, order.database, order.since, until)


def _mapping(order: Order) -> LegacyMapping:
    legacy = legacy_of(order.model)
    path = order.mapping
    if path is None and legacy is not None:
        return legacy.mapping
    path = path or KNOWN.get(order.model._meta.label_lower)
    if path is None:
        return LegacyMapping()
    found = conf.imported(path)
    if isinstance(found, LegacyMapping):
        return found
    raise ConfigurationError(f"{path!r} is no LegacyMapping.")


class Opened:
    """
    A store that is open, and what an import into it needs.

    Attributes:
        url: of the store, without secrets.
        parts: of the import.
    """

    def __init__(
        self, order: Order, source: Source, client: Client, exporter: DeliversBatches, told: _Told
    ) -> None:
        self.url = str(told.url)
        self._order = order
        self._client = client
        directory = order.state or spool_directory(told.settings).parent / "imports"
        self.parts = Parts(
            source,
            Stored(client, source.name),
            Records(source.name, told.settings, told.processors),
            Delivery(exporter, order.wait, told.waiting),
            State(directory, source.name, self.url),
        )

    def bring(self, show: Show, *, resume: bool, restart: bool) -> dict[str, Any]:
        """
        Import what is missing.

        Raises:
            ConfigurationError: an import was begun and neither ``resume`` nor ``restart`` says what of it.
            StoreError: the store does not answer for too long, or another process imports this table.
        """
        with self.parts.state.held():
            progress = self._progress(resume=resume, restart=restart)
            before = progress.counts.copy()
            started = time.perf_counter()
            Import(self.parts, progress, batch=self._order.batch, show=show).run()
            seconds = time.perf_counter() - started
        return self._summary(progress, (progress.counts - before)["read"] / seconds if seconds else 0.0, seconds)

    def _progress(self, *, resume: bool, restart: bool) -> Progress:
        left = self.parts.state.load()
        if left is not None and resume:
            return left
        if left is not None and not left.finished and not restart:
            raise ConfigurationError(
                f"An import of {self.parts.source.name} was begun and has not ended.",
                hint="Go on with --resume; or begin anew with --restart, which looks for each row first.",
            )
        _wait_for_inserts(self._client)
        until = self.parts.source.until
        return begin(self.parts, time.time_ns() if until is None else int(until.timestamp() * 10**9))

    def _summary(self, progress: Progress, rate: float, seconds: float) -> dict[str, Any]:
        counts = {
            name: progress.counts[name] for name in ("read", "stored", "present", "refused", "left_out", "changed")
        }
        return {
            "source": self.parts.source.name,
            "url": self.url,
            **counts,
            "balanced": counts["read"]
            == sum(counts[name] for name in ("stored", "present", "refused", "left_out")),
            "refused_file": str(self.parts.state.refused),
            "rows_per_second": round(rate),
            "seconds": round(seconds, 3),
        }

    def compare(self, show: Show) -> comparing.Comparison:
        """Count table and store."""
        progress = self.parts.state.load()
        return comparing.compare(
            self.parts.source,
            self.parts.stored,
            {} if progress is None else progress.not_stored,
            as_stored=self.parts.records.as_stored,
            batch=self._order.batch,
            show=show,
        )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the project's settings say."""

    settings: Settings
    url: DestinationURL
    processors: tuple[Any, ...]
    waiting: Callable[[str], object]


@contextmanager
def opened(order: Order, source: Source, waiting: Callable[[str], object]) -> Iterator[Opened]:
    """
    The store.

    Args:
        waiting: told why an import waits.

    Raises:
        ConfigurationError: no URL of a store, or one that can only be sent to.
        StoreError: it is locked, unreachable, or lacks its tables.
    """
    from activitylog.store import apply, check, connect

    told = _told(order, waiting)
    exporter: Any = exporter_builder(told.url, told.settings)()
    client = connect(told.url, create_database=told.url.kind == "chdb")
    try:
        if told.url.kind == "chdb":
            apply(client)
        else:
            check(client)
        yield Opened(order, source, client, exporter, told)
    finally:
        exporter.shutdown()
        client.close()


def _told(order: Order, waiting: Callable[[str], object]) -> _Told:
    pipeline = conf.options().pipeline
    given = {key: value for key, value in pipeline.items() if key not in _NOT_SETTINGS}
    given["export_timeout_seconds"] = _LONGEST_ATTEMPT_SECONDS
    settings = load_settings(given)
    return _Told(settings, _store_url(order.url, settings), tuple(pipeline.get("processors", ())), waiting)


def _store_url(given: str | None, settings: Settings) -> DestinationURL:
    urls = settings.url if given is None else (parse(given),)
    for url in urls:
        if url.kind in _STORES:
            return url
    named = f"{urls[0]} can be sent to, not asked" if urls else "No store is configured"
    raise ConfigurationError(
        f"{named}, and an import has to see what is there.",
        hint="Name the store itself with --url clickhouse://user:password@host:8123/activity, or chdb:///abs/dir.",
    )


def _wait_for_inserts(client: Client) -> None:
    """Let what a process of before may have sent arrive, where its state was lost."""
    from activitylog.store.inserts import Inserts

    inserts = Inserts(client)
    inserts.wait(inserts.under_way())
