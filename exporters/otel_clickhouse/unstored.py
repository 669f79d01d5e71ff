"""
Tokens of blocks that were never stored, which an engine that was killed leaves behind.

A table that is not replicated writes the token of a block into its deduplication log, and then gives the block's
part its name. An engine that is killed in between has the token and not the part. It takes the block, when it is
sent again, for a repetition and stores nothing: what was acknowledged would be lost. (Of 225 inserts that were
sent again after 60 kills under load, this happened to one.) Both steps are done under one lock, so only the last
record of a log can be such a one; and it has to be found before the engine opens, which gives the part's number to
another block. So whoever opens a store of the embedded engine calls :func:`forget_unstored` first.

The log is text: a line of ``operation <tab> part <tab> block id``; the operation is 1 for an added part, 2 for one
that is gone (src/Storages/MergeTree/MergeTreeDeduplicationLog.cpp). What looks otherwise is left alone.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

_PART: Final = re.compile(r"(?P<partition>.+)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")
_ADDED: Final = "1"
_GONE: Final = "2"
#: Where tables are, below a store's folder: those of Atomic databases, and those of Ordinary ones.
_LOGS: Final = ("store/*/*/deduplication_logs", "data/*/*/deduplication_logs")
#: More than the records of one block take.
_TAIL_BYTES: Final = 65_536

_log: Final = logging.getLogger(__name__)


def forget_unstored(folder: str | os.PathLike[str]) -> int:
    """
    Have the tables of a store forget what they never stored. Never raises.

    Args:
        folder: of the embedded engine. Nothing is done while any process has it open, this one included, nor where
            it was closed: then its file ``status`` is gone.

    Returns:
        How many blocks were forgotten: one a table at the most.
    """
    forgotten = 0
    with suppress(OSError), (Path(folder) / "status").open() as status:
        fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for pattern in _LOGS:
            for logs in Path(folder).glob(pattern):
                with suppress(OSError, ValueError):
                    forgotten += _forget(logs)
    if forgotten:
        _log.warning(
            "The engine of %s was killed in the midst of %d inserts, which may be sent again.", folder, forgotten
        )
    return forgotten


def _forget(logs: Path) -> bool:
    numbered = sorted(logs.glob("deduplication_log_*.txt"), key=_number, reverse=True)
    for path in numbered:
        if path.stat().st_size:
            break
    else:
        return False
    last = _last_added(path)
    if not last or _is_stored(logs.parent, last[0][0]):
        return False
    with path.open("a") as log:
        log.write("".join(f"{_GONE}\t{part}\t{block}\n" for part, block in last))
    return True


def _number(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _last_added(path: Path) -> list[tuple[str, str]]:
    """The part that was added last, with each of its block ids; nothing where another record is the last."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = log.read().decode()
    if not text.endswith("\n"):
        return []
    found: list[tuple[str, str]] = []
    for line in reversed(text.splitlines()):
        operation, part, block = line.split("\t")
        if operation != _ADDED or (found and part != found[0][0]):
            break
        found.append((part, block))
    return found


def _is_stored(table: Path, part: str) -> bool:
    """Whether the part, or one that it was merged into, is there."""
    wanted = _PART.fullmatch(part)
    if wanted is None:
        return True
    found = (_PART.fullmatch(path.name) for path in table.iterdir())
    return any(
        there is not None
        and there["partition"] == wanted["partition"]
        and int(there["first"]) <= int(wanted["first"])
        and int(wanted["last"]) <= int(there["last"])
        for there in found
    )
