"""What became of one attempt to deliver a batch, for whoever keeps batches and repeats them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Status = Literal["delivered", "retry", "refused", "elsewhere"]

#: Reason of a "retry" for a record that may be at fault itself: others are to be sent before it comes again.
SUSPECT: Final = "export_suspect"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The outcome of one attempt.

    Attributes:
        status: one of four.

            * ``delivered``: stored for certain, but for ``rejected`` and ``rejected_unknown``
            * ``retry``: not now, or nobody knows; the same batch is to come again
            * ``refused``: nothing of it is stored for certain, and the same batch would be refused again; parts of
              it might not be
            * ``elsewhere``: this process can never deliver it, another one can
        reason: a short name to count by: ``http_302``, ``unavailable``, ``too_large``. Often empty when it is
            delivered; :data:`SUSPECT` has a meaning.
        detail: one printable line for people, without secrets.
        retry_after_seconds: how long the server asks to wait, with ``retry``.
        rejected: index of a record -> why it is left out for good, although the rest is delivered.
        rejected_unknown: so many more were left out, and the server does not say which.
    """

    status: Status
    reason: str = ""
    detail: str = ""
    retry_after_seconds: float | None = None
    rejected: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    rejected_unknown: int = 0
