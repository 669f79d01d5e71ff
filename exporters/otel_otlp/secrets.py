"""Header values and what they hold are secret: a server may repeat them in its answer, and no line shows them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Final

from otel_delivery.printable import one_line

#: What is shorter stands for itself in too many texts, and protects nothing.
_SHORTEST: Final = 4


class Secrets:
    """
    Hides secrets in text.

    Args:
        values: of headers, of options in the URL: each as a whole, each word of it, and what is behind ``Basic``.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._longest_first: list[str] = []
        self.add(*values)

    def __repr__(self) -> str:
        return "Secrets()"

    def add(self, *values: str) -> None:
        """Hide these, too, from now on."""
        found = {part for value in values for part in _parts(value) if len(part) >= _SHORTEST}
        self._longest_first = sorted(found.union(self._longest_first), key=len, reverse=True)

    def line(self, text: str) -> str:
        """The text as one printable line without the secrets. They go first: a cut would leave half of one."""
        for secret in self._longest_first:
            text = text.replace(secret, "***")
        return one_line(text)


def _parts(value: str) -> Iterator[str]:
    yield value
    words = value.split()
    yield from words
    if len(words) == 2 and words[0].lower() == "basic":
        try:
            decoded = base64.b64decode(words[1], validate=True).decode()
        except (binascii.Error, ValueError):
            return
        yield decoded
        yield decoded.partition(":")[2]
