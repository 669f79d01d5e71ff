"""
The path of a request without the secrets in it: ``/reset/eyJhb...`` is a key to somebody's account.

A secret is the value of a variable of the route whose name says so (``token``, ``password``, ``api_key``). Where
it cannot be found in the path as it was written, the whole path gives way to the route's template.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from activitylog.redaction.keys import names_secret, words_of

REDACTED: Final = "[redacted]"
#: Characters of a path, or of what a client calls itself, that are kept.
MAX_LENGTH: Final = 1024


def clean_path(path: str, parameters: Mapping[str, Any] | None, route: Callable[[], str | None]) -> str | None:
    """
    The path as it may be stored.

    Args:
        path: decoded, without the query.
        parameters: values of the route's variables.
        route: gives the route's template, which holds no values.

    Returns:
        At most :data:`MAX_LENGTH` characters, whole segments; None where neither path nor template can be given.
    """
    secrets = None
    if parameters:
        secrets = [value for name, value in parameters.items() if _is_secret(name) and value is not None]
    if not secrets:
        return cut(path, "/")
    texts = [value for value in secrets if isinstance(value, str) and value in path]
    if len(texts) < len(secrets):
        # Converted (to a number, a UUID): "007" and "7" are one value, and only the first is in the path.
        template = route()
        return str(template) if template else None
    return cut(_without(path, filter(None, texts)), "/")


def cut(text: str, separator: str) -> str:
    """At most :data:`MAX_LENGTH` characters, whole words of it: half a secret is not known as one."""
    if len(text) <= MAX_LENGTH:
        return text
    return text[: text.rfind(separator, 0, MAX_LENGTH) + 1]


def _without(path: str, secrets: Iterable[str]) -> str:
    """Each place of each secret replaced, also where they overlap."""
    hidden = bytearray(len(path))
    for secret in secrets:
        start = path.find(secret)
        while start >= 0:
            hidden[start : start + len(secret)] = b"\x01" * len(secret)
            start = path.find(secret, start + 1)
    parts, shown = [], True
    for character, hide in zip(path, hidden, strict=True):
        if not hide:
            parts.append(character)
        elif shown:
            parts.append(REDACTED)
        shown = not hide
    return "".join(parts)


@functools.lru_cache(512)
def _is_secret(name: str) -> bool:
    return names_secret(words_of(name))
