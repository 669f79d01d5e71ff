"""
From the text of a schema statement to what is run on this deployment.

The SQL files are written for one server and months; the settings decide how partitions are cut, which storage
policy the tables begin with, and whether they are made on a whole cluster. Text in, statements out. The checksum
of a step is that of its file: another rendering of it is no other step.
"""

from __future__ import annotations

import re
from typing import Final

from activitylog.store.cluster import on_cluster
from activitylog.store_settings import PartitionBy, StoreSettings

_PARTITION: Final = re.compile(r"\btoYYYYMM\(")
_CLAUSE: Final = re.compile(r"(?m)^PARTITION BY (toYYYYMM\(\w+\))$")
_CREATES_TABLE: Final = re.compile(r"(?m)^CREATE TABLE ")
_STORED: Final = re.compile(r"(?m)^SETTINGS (?=.*;\s*$)")
_FUNCTION: Final[dict[PartitionBy, str]] = {"day": "toYYYYMMDD(", "week": "toMonday(", "month": "toYYYYMM("}


def statements(sql: str, settings: StoreSettings) -> list[str]:
    """
    Render one statement for a deployment.

    Args:
        sql: the text of a file, or an ``ALTER TABLE`` made by this package.
        settings: ``partition_by`` and ``storage_policy`` go into tables that are created with partitions;
            ``cluster`` decides whether it is for one server or for all of a cluster.

    Returns:
        What is to be run, in order, each without a semicolon.
    """
    if _CREATES_TABLE.search(sql) and _CLAUSE.search(sql):
        sql = _CLAUSE.sub(lambda clause: f"PARTITION BY {partition_key(clause[1], settings)}", sql)
        if settings.storage_policy:
            sql = _STORED.sub(f"SETTINGS storage_policy = '{settings.storage_policy}', ", sql)
    text = sql.strip().removesuffix(";").rstrip()
    return on_cluster(text, settings.cluster) if settings.cluster is not None else [text]


def partition_key(expression: str, settings: StoreSettings) -> str:
    """The partition key that a table gets whose file says ``expression``: ``toYYYYMM(x)`` -> ``toMonday(x)``."""
    return _PARTITION.sub(_FUNCTION[settings.partition_by], expression)


def partition_by(key: str) -> PartitionBy | None:
    """What one partition of a table with this key is: ``toMonday(x)`` -> ``week``; None for another key."""
    return next((unit for unit, function in _FUNCTION.items() if key.startswith(function)), None)
