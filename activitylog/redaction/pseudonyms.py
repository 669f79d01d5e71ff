"""
Keyed pseudonyms: the same for the same value under the same key, so that they can be joined, counted and grouped.

``pseudonym-<key id>-<32 hexadecimal digits>``: 128 bits of BLAKE2b under the key. Without the key a value can
neither be read back nor be guessed and compared; whoever has the key can compare guesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from activitylog.redaction.settings import RedactionKey

_DIGEST_BYTES = 16
_MAX_KEY_BYTES = 64
_MADE = re.compile(r"pseudonym-[A-Za-z0-9]{1,16}-[0-9a-f]{32}")


def pseudonymizer(key: RedactionKey, key_id: str) -> Callable[[str], str]:
    """
    The function from a text to its pseudonym.

    An empty text says that there is no value, and stays; a pseudonym stays, too, so that two stages agree.
    """
    secret = key.reveal()
    if len(secret) > _MAX_KEY_BYTES:
        secret = blake2b(secret).digest()
    keyed = blake2b(key=secret, digest_size=_DIGEST_BYTES, person=b"activitylog")
    prefix = f"pseudonym-{key_id}-"

    def pseudonym(text: str) -> str:
        if not text or _MADE.fullmatch(text):
            return text
        digest = keyed.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return prefix + digest.hexdigest()

    return pseudonym


def text_of(value: Any) -> str:
    """The text of a plain value, by which an id is the same as a number and as a text."""
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else str(value)
