"""
What a URL becomes: the exporter behind it, and the checks that can be made before the first event.

Exporters are built in the exporting thread on the first batch, because their drivers are slow to import
(gRPC, clickhouse-connect and chDB half a second each). What can be wrong is looked for at configure time all
the same, by means that import nothing.

The exporters are found as any OpenTelemetry program finds them, by their names among the entry points
``opentelemetry_logs_exporter``: this package and theirs do not import each other.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from opentelemetry.sdk._logs.export import LogRecordExporter

from activitylog.counters_place import CountersPlace
from activitylog.exceptions import ConfigurationError, NewerSchemaError, SchemaError, StoreError
from activitylog.routing import CountersApart
from activitylog.settings import Settings
from activitylog.store_settings import StoreSettings
from activitylog.url import DestinationURL
from activitylog.visible import visible

_log = logging.getLogger("activitylog")


def exporter_builder(url: DestinationURL, settings: Settings) -> Callable[[], LogRecordExporter]:
    """
    Check a destination as far as possible without opening it.

    Returns:
        A function that makes its exporter.

    Raises:
        ConfigurationError: something it needs is not installed.
    """
    match url.kind:
        case "chdb":
            return _embedded(url, settings)
        case "clickhouse":
            return _clickhouse(url, settings, create_schema=bool(settings.create_schema))
        case "otlp":
            return _otlp("otel_otlp_grpc", url, settings)
        case "otlp+http":
            return _otlp("otel_otlp_http", url, settings, path=quote(url.path) or "/v1/logs")
        case "console":
            return _console
        case _:
            return _memory


def check_free(url: DestinationURL) -> None:
    """
    Look whether another process has the destination to itself.

    Raises:
        StoreLockedError: another process has the embedded store open.
    """
    if url.kind == "chdb" and url.path != "memory":
        from activitylog.store import check_unlocked

        check_unlocked(url.path)


def _embedded(url: DestinationURL, settings: Settings) -> Callable[[], LogRecordExporter]:
    if importlib.util.find_spec("chdb") is None:
        raise ConfigurationError(
            f"{url} needs the embedded ClickHouse engine, which is not installed.",
            hint="Run: pip install 'activitylog[embedded]' (about 900 MB).",
        )
    return _clickhouse(url, settings, create_schema=settings.create_schema is not False)


def _clickhouse(
    url: DestinationURL, settings: Settings, *, create_schema: bool
) -> Callable[[], LogRecordExporter]:
    found = _exporter("clickhouse", url)

    def build() -> LogRecordExporter:
        from activitylog.store import EVENTS_TABLE, INGEST_TABLE, column_mapping

        exporter = partial(
            found.load(),
            url.reveal(),
            create_schema=False,
            timeout_seconds=settings.export_timeout_seconds,
            retry_deadline_seconds=settings.retry_deadline_seconds,
        )
        before_events, before_counters = _preparations(url, settings, create=create_schema)
        # Counters come in as a Collector's records do: the view behind that table knows them.
        return CountersApart(
            events=exporter(table=EVENTS_TABLE, columns=column_mapping(), prepare=before_events),
            # They have no id to look for, and those that came twice are counted once (the view activity_totals).
            counters=exporter(
                table=INGEST_TABLE, prepare=before_counters, presence_check_after_seconds=float("inf")
            ),
            place=CountersPlace(partial(before_counters, None)),
        )

    return build


def _exporter(name: str, url: DestinationURL) -> importlib.metadata.EntryPoint:
    """The exporter of that name, not imported yet."""
    for found in importlib.metadata.entry_points(group="opentelemetry_logs_exporter", name=name):
        return found
    raise ConfigurationError(
        f"{url} needs the exporter {name!r}, which is not installed.",
        hint="Install activitylog again: its distribution brings the exporters.",
    )


_Preparation = Callable[[Any], None]


def _preparations(url: DestinationURL, settings: Settings, *, create: bool) -> tuple[_Preparation, _Preparation]:
    """
    What is done before the first insert of events, and of counters: apply the migrations, or look for the table.

    When it raises, the exporter keeps the batch and comes again, until its deadline. (Counters are given up before
    that where it raises SchemaError.)
    """
    from activitylog.store import check_countable, check_writable

    countable = _on_a_connection(url, check_countable)
    if not create:
        return _on_a_connection(url, check_writable), countable
    apply = _once(_on_a_connection(url, partial(_apply_schema, settings=settings.store), create_database=True))

    def apply_and_check(client: Any) -> None:
        try:
            apply(client)
        except SchemaError as error:  # no answer yet: another process may be at it
            raise StoreError(str(error)) from error
        countable(client)

    return apply, apply_and_check


def _once(step: _Preparation) -> _Preparation:
    """The step, unless it has succeeded in this process."""
    done_in: set[int] = set()

    def prepare(client: Any) -> None:
        if os.getpid() not in done_in:
            step(client)
            done_in.add(os.getpid())

    return prepare


def _on_a_connection(
    url: DestinationURL, step: Callable[[Any], None], *, create_database: bool = False
) -> _Preparation:
    """The step, on a connection of its own."""

    def prepare(_client: Any) -> None:
        from activitylog.store import connect

        client = connect(url, create_database=create_database)
        try:
            step(client)
        finally:
            if url.path == "memory":
                _memory_engines.append(client)  # a store in memory lasts as long as somebody has it open
            else:
                client.close()

    return prepare


def _apply_schema(client: Any, settings: StoreSettings) -> None:
    """
    Apply the migrations and the settings. What the settings ask for and cannot be had costs no events.

    Neither do old rows, however many: the next batch waits for this, and a process that ends waits for neither.
    A process without ``[store]`` leaves alone what settings decide: it may lack the file that another one has.
    Where a newer version made the tables (a deployment that was rolled back), they are left alone and inserted
    into: later steps only add to what an older writer knows.
    """
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from activitylog.store import apply, fill_small_rollup, pending

    try:
        apply(client, settings if settings != StoreSettings() else None, fill=fill_small_rollup)
    except NewerSchemaError as error:
        _log.error("activitylog: the schema is left as it is: %s", visible(str(error)))
    except (SchemaError, ClickHouseError) as error:
        if pending(client):
            raise
        _log.error("activitylog: the settings of [store] were not applied: %s", visible(str(error)))


_memory_engines: list[Any] = []


def _otlp(name: str, url: DestinationURL, settings: Settings, path: str = "") -> Callable[[], LogRecordExporter]:
    """Headers, certificates and compression come from the variables of OpenTelemetry."""
    found = _exporter(name, url)
    endpoint = f"{'https' if url.secure else 'http'}://{url.address}{path}"
    return lambda: found.load()(
        endpoint,
        timeout_seconds=settings.export_timeout_seconds,
        retry_deadline_seconds=settings.retry_deadline_seconds,
    )


def _console() -> LogRecordExporter:
    from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter

    return ConsoleLogRecordExporter(formatter=lambda record: record.to_json(indent=None) + "\n")


def _memory() -> LogRecordExporter:
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

    return InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
