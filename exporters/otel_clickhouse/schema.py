"""
The ``otel_logs`` table: its definition, and table names that are safe in SQL.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from otel_clickhouse.client import Client
from otel_clickhouse.exceptions import ConfigurationError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def quoted_table(name: str) -> str:
    """
    The name as it stands in SQL.

    Args:
        name: ``table`` or ``database.table``.

    Raises:
        ConfigurationError: a part of it is more than letters, digits and ``_``.
    """
    parts = name.split(".") if isinstance(name, str) else []
    if not 1 <= len(parts) <= 2 or not all(map(_NAME.fullmatch, parts)):
        raise ConfigurationError(
            f"The table {name!r} cannot be used.",
            hint="Accepted: 'table' or 'database.table', of letters, digits and '_', not beginning with a digit.",
        )
    return ".".join(f"`{part}`" for part in parts)


def otel_logs_sql(table: str) -> str:
    """The statement that creates the table where it does not exist. ``table`` is quoted."""
    template = files("otel_clickhouse").joinpath("sql/otel_logs.sql").read_text(encoding="utf-8")
    return template.replace("{table}", table)


def create_otel_logs(client: Client, table: str) -> None:
    """
    Create the table where it does not exist; an existing one stays as it is. ``table`` is quoted.

    Raises:
        RetryableError, PermanentError: as from ``client.command``.
    """
    client.command(otel_logs_sql(table))
