"""
Values that stay what they were, whatever is done to the instance that had them.

Plain values are kept as they are. Of others a tuple is kept, of how and what: ``("marshal", b"...")`` for the
structures of JSON, where it is ten times faster than a copy; a hash of those that are large; a copy of anything
else, its text where it cannot be copied. Nothing of ours is in it, so that an instance that was pickled is read
where there is no activitylog.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import hashlib
import marshal
import uuid
from typing import Any, Final

from django.core.files import File

#: Types whose values cannot be changed in place.
PLAIN: Final = frozenset(
    {
        str, bytes, int, bool, float, type(None),
        decimal.Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID,
    }
)  # fmt: skip
#: Of marshal: in later ones the bytes also depend on who else has the parts of a value.
_VERSION: Final = 2
#: Bytes of a structure that is kept as it is.
MAX_KEPT: Final = 4_096


def freeze(value: Any) -> Any:
    """What is kept of a value."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is not dict and kind is not list and isinstance(value, File):
        return value.name
    if isinstance(value, memoryview):
        return _hash(bytes(value))
    try:
        dumped = marshal.dumps(value, _VERSION)
    except ValueError:
        return _copy(value)
    return ("marshal", dumped) if len(dumped) <= MAX_KEPT else _hash(dumped)


def thaw(frozen: Any, unknown: Any) -> Any:
    """The value again; ``unknown`` where only a hash was kept."""
    if type(frozen) is not tuple:
        return frozen
    how, kept = frozen
    if how == "marshal":
        return marshal.loads(kept)  # noqa: S302 - as trustworthy as the pickle it may have been in
    return unknown if how == "hash" else kept


def differs(frozen: Any, value: Any) -> bool:
    """Whether a value is another one than what was frozen; yes where that cannot be found out."""
    try:
        if type(frozen) is not tuple:
            return not (frozen == value or (frozen != frozen and value != value))  # noqa: PLR0124 - NaN is NaN
        if frozen[0] in ("hash", "marshal") and freeze(value) == frozen:
            return False
        return frozen[0] == "hash" or bool((str(value) if frozen[0] == "text" else value) != thaw(frozen, None))
    except Exception:  # noqa: BLE001 - the application's values may raise anything
        return True


def _hash(data: bytes) -> tuple[str, bytes]:
    return "hash", hashlib.blake2b(data, digest_size=16).digest()


def _copy(value: Any) -> tuple[str, Any]:
    try:
        return "copy", copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - the application's values may raise anything
        return "text", str(value)
