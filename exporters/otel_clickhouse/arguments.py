"""
What an exporter is set up with: what its constructor was given, else what the environment says
(:mod:`otel_clickhouse.environment_variables`), else the default.

Each raises :class:`ConfigurationError` about a setting that cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from otel_clickhouse import environment_variables as env
from otel_clickhouse.client import Client
from otel_clickhouse.dsn import DSN, parse_dsn
from otel_clickhouse.exceptions import ConfigurationError
from otel_clickhouse.layout import OTEL_LOGS_LAYOUT, Layout, compile_layout
from otel_clickhouse.mapping import TableMapping, check_mapping, parse_mapping
from otel_clickhouse.schema import create_otel_logs, quoted_table


def dsn_of(given: str | None) -> DSN:
    """Where."""
    return parse_dsn(given or env.text(env.OTEL_EXPORTER_CLICKHOUSE_DSN, env.DEFAULT_DSN))


def table_of(given: str | None) -> str:
    """The table as it stands in SQL."""
    return quoted_table(given or env.text(env.OTEL_EXPORTER_CLICKHOUSE_TABLE, env.DEFAULT_TABLE))


def timeout_seconds(given: float | None) -> float:
    """How long one attempt may wait for the server."""
    if given is None:
        return env.seconds(env.OTEL_EXPORTER_CLICKHOUSE_TIMEOUT, env.DEFAULT_TIMEOUT_SECONDS)
    return env.positive_seconds("timeout_seconds", given)


def retry_deadline_seconds(given: float | None) -> float:
    """How long ``export`` goes on with one batch."""
    if given is None:
        return env.seconds(env.OTEL_EXPORTER_CLICKHOUSE_RETRY_DEADLINE, env.DEFAULT_RETRY_DEADLINE_SECONDS)
    return env.positive_seconds("retry_deadline_seconds", given)


def presence_check_after_seconds(given: float | None) -> float:
    """How old a batch may be that is sent again without a look at what the table has; infinity for any age."""
    if given is None:
        return env.seconds(
            env.OTEL_EXPORTER_CLICKHOUSE_PRESENCE_CHECK_AFTER, env.DEFAULT_PRESENCE_CHECK_AFTER_SECONDS
        )
    return given if given == float("inf") else env.positive_seconds("presence_check_after_seconds", given)


def layout_of(columns: TableMapping | Mapping[str, Any] | None) -> Layout:
    """Which column takes what; the Collector's columns without a mapping."""
    if columns is None:
        return OTEL_LOGS_LAYOUT
    if not isinstance(columns, TableMapping):
        return compile_layout(parse_mapping(columns))
    check_mapping(columns)
    return compile_layout(columns)


def preparation_of(
    table: str,
    *,
    own_columns: bool,
    create_schema: bool | None,
    prepare: Callable[[Client], None] | None,
) -> Callable[[Client], None] | None:
    """What is done before a process's first insert, with the table as it stands in SQL; None for nothing."""
    if own_columns:
        if create_schema and prepare is None:
            raise ConfigurationError(
                "create_schema=True creates the Collector's columns, not those of columns=.",
                hint="Create the table yourself, or give prepare= a function that does.",
            )
        return prepare
    if create_schema is None:
        create_schema = env.boolean(env.OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA, env.DEFAULT_CREATE_SCHEMA)

    def create(client: Client) -> None:
        if prepare is not None:
            prepare(client)
        create_otel_logs(client, table)

    return create if create_schema else prepare
