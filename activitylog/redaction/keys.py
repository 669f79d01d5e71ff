"""
Which keys name a secret: decided by the whole words of the key, whatever its spelling.

``dbPassword``, ``X-Api-Key``, ``ACCESS_TOKEN`` and ``user.password`` name secrets; ``token_count``, ``author``,
``session``, ``secretary``, ``tokenizer`` and ``password_changed_at`` do not. What is sensitive is a word (or a few
in a row) anywhere in the key, unless the key's last word says that the value is about the secret: its length, its
age, whether there is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import translate
from typing import Final

#: More of a key is not looked at.
MAX_KEY_LENGTH: Final = 512

_RUN: Final = re.compile(r"[^\W\d_]+|[0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS: Final = _set(
    """
    password passwords passwd passphrase passcode pwd pw secret secrets credential credentials token tokens
    jwt jwts authorization cookie cookies setcookie cvv cvc cvn ssn otp totp csrf xsrf mnemonic apikey apikeys
    privatekey secretkey accesskey signingkey encryptionkey authkey authtoken accesstoken refreshtoken idtoken
    sessiontoken bearertoken csrftoken clientsecret connectionstring cardnumber ccnumber creditcard
    passwort kennwort contrasena contraseña senha пароль
    """
)
_ENDINGS: Final = ("password", "passwd", "passphrase", "apikey", "secretkey", "privatekey")
_PHRASES: Final = frozenset(
    tuple(phrase.split())
    for phrase in (
        "api key",
        "api keys",
        "private key",
        "secret key",
        "access key",
        "signing key",
        "encryption key",
        "auth key",
        "master key",
        "shared key",
        "account key",
        "card number",
        "credit card",
        "card pan",
        "cc number",
        "security code",
        "social security",
        "connection string",
        "set cookie",
        "recovery code",
        "recovery codes",
        "backup codes",
        "seed phrase",
        "mot de passe",
    )
)
_LONGEST_PHRASE: Final = max(map(len, _PHRASES))
#: A last word by which the value is about a secret, not the secret.
_ABOUT: Final = _set(
    """
    count counts length len type types kind ttl expiry expires expired expiration age at in on policy strength
    status state limit size version used usage usages rotation rotated changed updated created required enabled
    disabled present valid invalid verified consent scheme attempts reset resets algorithm alg method issuer format
    ms second seconds minutes hours days brand network last4 error errors failures budget price cost rate
    """
)
#: Plural words that also count: ``tokens=312``. A number below them is no secret.
_COUNTED: Final = frozenset({"tokens", "passwords", "secrets", "cookies", "credentials", "jwts"})


def words_of(key: str) -> list[str]:
    """The words of a key, in lower case: ``dbPassword2`` -> ``db``, ``password``, ``2``."""
    text = unicodedata.normalize("NFKC", key[:MAX_KEY_LENGTH])
    return [part.lower() for run in _RUN.findall(text) for part in _CAMEL.split(run)]


def names_secret(words: list[str]) -> bool:
    """Whether a key of these words holds a secret."""
    words = [word for word in words if not word.isdecimal()]
    if not words or words[-1] in _ABOUT:
        return False
    return any(word in _WORDS or word.endswith(_ENDINGS) for word in words) or _has_phrase(words)


def _has_phrase(words: list[str]) -> bool:
    return any(
        tuple(words[start : start + length]) in _PHRASES
        for length in range(2, _LONGEST_PHRASE + 1)
        for start in range(len(words) - length + 1)
    )


def names_count(words: list[str]) -> bool:
    """Whether a number below a key of these words is a count: ``tokens``, ``input_tokens``."""
    return any(word in _COUNTED for word in words)


def names_id(words: list[str]) -> bool:
    """Whether a key of these words holds an id, in which long digits mean nothing."""
    return bool(words) and words[-1] in ("id", "ids", "uid", "uuid", "guid", "imei", "gtin", "ean", "isbn")


class Globs:
    """
    Names with ``*`` and ``?``, matched whole, without regard to case, also against the key in snake case.

    ``api_key`` matches ``API_KEY``, ``api-key`` and ``apiKey``. Dots stay: ``user.id`` does not match ``user_id``.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        patterns = [translate(glob.lower()) for glob in globs]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def match(self, key: str) -> bool:
        """Whether one of them matches."""
        if self._pattern is None:
            return False
        key = key[:MAX_KEY_LENGTH]
        return bool(self._pattern.match(key.lower()) or self._pattern.match(_snake(key)))


def _snake(key: str) -> str:
    """``apiKey`` and ``Api-Key`` -> ``api_key``; dots stay."""
    return ".".join("_".join(words_of(part)) for part in key.split("."))
