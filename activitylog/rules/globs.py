"""
Event name globs: ``*``, ``?`` and ``[...]`` as in :mod:`fnmatch`, case-sensitive.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from typing import Final

MAX_GLOB_LENGTH: Final = 256
_WILD: Final = re.compile(r"[*?\[]")


def name_test(globs: Sequence[str]) -> Callable[[str | None], bool]:
    """
    Whether an event's name is matched by any of the globs.

    A name that is no text (None) is matched by ``*`` alone.
    """
    if "*" in globs:
        return lambda _name: True
    exact = frozenset(glob for glob in globs if not is_wide(glob))
    patterns = [re.compile(fnmatch.translate(glob)).match for glob in globs if glob not in exact]

    def test(name: str | None) -> bool:
        if name is None:
            return False
        return name in exact or any(match(name) for match in patterns)

    return test


def is_wide(glob: str) -> bool:
    """Whether it is more than one name."""
    return _WILD.search(glob) is not None


def covers(wide: str, narrow: str) -> bool:
    """
    Whether every name that ``narrow`` matches is matched by ``wide``, as far as it is seen at once.

    False may also mean that it is not: two different globs with more than one ``*`` are not compared.
    """
    if wide in ("*", narrow):
        return True
    if not is_wide(narrow):
        return fnmatch.fnmatchcase(narrow, wide)
    prefix = wide[:-1]
    return wide.endswith("*") and not is_wide(prefix) and narrow.startswith(prefix)
