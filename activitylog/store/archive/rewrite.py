"""
Rows taken out of an archive: what erasing a person needs.

A file is rewritten only if it holds such rows. The new one is read back and compared with what it should hold, the
manifest is replaced, and then the old one is removed: a crash leaves the old piece or the new one, and the next call
removes what is left over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activitylog.store.archive.manifest import Archive


def count_rows(archive: Archive, *, where: str, parameters: Mapping[str, Any]) -> int:
    """
    Count the rows of a piece for which a condition holds.

    Args:
        where: a condition of ClickHouse's SQL over the columns and aliases of the table, with ``{name:Type}``.
        parameters: its values.

    Raises:
        ArchiveError: a file is missing or cannot be read, or the condition is refused.
        StoreError: the embedded engine is not installed.
    """
    raise NotImplementedError


def rewrite(archive: Archive, *, keep: str, parameters: Mapping[str, Any]) -> int:
    """
    Keep the rows of a piece for which a condition holds, and remove the others.

    Args:
        keep: as ``where`` of :func:`count_rows`. A row for which it is NULL is removed.
        parameters: its values.

    Returns:
        How many rows were removed. A piece without rows keeps its manifest.

    Raises:
        ArchiveError: as :func:`count_rows`, or the new file does not hold what it should; the piece is as it was.
        StoreError: the embedded engine is not installed.

    Call :func:`archives` again afterwards: ``archive`` describes what was there before.
    """
    raise NotImplementedError
