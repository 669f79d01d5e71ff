"""
What secrets look like inside texts. Everything here takes linear time, whatever the text.

How that is kept: an expression begins with a fixed text, or at a place where a run of its characters begins; what
is repeated without bound is possessive, or the end of the expression. What needs more than one look (where a key
ends, whether the name before a ``=`` is a secret's) is done in Python, each character looked at once.

``certain`` patterns show a secret by their form and are replaced wherever they stand; likely ones (a card's number
is 16 digits, and so are many ids) only in free texts.

:data:`ANCHORS` finds, in one pass, whether any of the built-in certain patterns can match at all. Each alternative
begins with a literal character, because the engine then skips to these characters; rare ones are chosen.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from activitylog.redaction.cards import mask_cards, mask_ibans
from activitylog.redaction.keys import names_count, names_secret, words_of


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    One kind of secret.

    Attributes:
        name: what notes call it.
        mask: replaces the secret parts of a text by its second argument.
        hints: one of these texts is part of each match; empty where there is none that is always there.
        certain: the form alone shows that it is a secret.
    """

    name: str
    mask: Callable[[str, str], str]
    hints: tuple[str, ...] = ()
    certain: bool = True

    def may_match(self, text: str) -> bool:
        """Whether it is worth a look."""
        return not self.hints or any(hint in text for hint in self.hints)


ANCHORS: Final = re.compile(
    r"=|\"(?=\s{0,2}:)|'(?=\s{0,2}:)|:(?=//)|J(?<=eyJ)|V(?=ATE KEY)|K(?<=AK)(?=IA)|S(?<=AS)(?=IA)|I(?=za)"
    r"|_(?:(?<=gh[pousr]_)|(?<=_pat_)|(?<=_live_)|(?<=_test_)|(?<=npm_)|(?<=hf_)|(?<=_v1_)|(?<=shp.._)|(?<=whsec_))"
    r"|X(?<=GOCSPX)|G(?<=SG)(?=\.)|Y(?=-1)|y(?=a29\.)|x(?=ox|app)|k(?=-)|p(?=at-|ypi-)"
    r"|B(?=earer|asic|EARER|ASIC)|b(?=earer|asic)"
)

_PEM: Final = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----")
#: What a line of a key's body consists of, also where its line ends are written as \n or \r.
_PEM_BODY: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\\r\n"


def mask_private_keys(text: str, mask: str) -> str:
    """From BEGIN to END, or to the end of a text that was cut; and what stands before an END without its BEGIN."""
    parts, done, begun = [], 0, False
    for marker in _PEM.finditer(text):
        if marker[1] == "BEGIN" and not begun:
            parts += [text[done : marker.start()], mask]
            begun = True
        elif marker[1] == "END":
            if not begun:
                parts += [text[done : marker.start()].rstrip(_PEM_BODY), mask]
            begun, done = False, marker.end()
    return "".join(parts) if begun else "".join([*parts, text[done:]])


_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?>([A-Za-z0-9_-]*?)eyJ)[A-Za-z0-9_-]{13,}+\."
    r"(?:eyJ[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+)?|[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]++){2,3})"
)


def mask_jwts(text: str, mask: str) -> str:
    """``eyJ...`` (a JSON object in base64) and further parts after dots: signed (3) or encrypted (5) tokens."""
    return _JWT.sub(lambda found: found[1] + mask, text)


_AWS: Final = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_PREFIXED: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abceoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/]{16,}"
    r"|AIza[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,}"
    r"|npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{50,}|do[opr]_v1_[a-f0-9]{40,}"
    r"|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{50,}"
    r")"
)
_SK: Final = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}")


def mask_prefixed(text: str, mask: str) -> str:
    """Keys and tokens that say by their beginning whose they are."""
    text = _PREFIXED.sub(lambda _: mask, text)
    return _SK.sub(lambda found: mask if _is_mixed(found[0][3:]) else found[0], text)


def _is_mixed(token: str) -> bool:
    """Digits, and letters of both cases: no words joined by hyphens."""
    return any(map(str.isdigit, token)) and token.lower() != token != token.upper()


_SCHEME: Final = re.compile(
    r"\b((?:[Bb]earer|BEARER)[ \t:=]{1,4})([A-Za-z0-9._~+/=-]{8,})"
    r"|\b((?:[Bb]asic|BASIC)[ \t:=]{1,4})([A-Za-z0-9+/=]{4,})"
)


def mask_authorization(text: str, mask: str) -> str:
    """``Bearer <token>`` and ``Basic <user:password in base64>``; not ``Basic training``."""

    def one(found: re.Match[str]) -> str:
        if found[2]:
            return found[1] + mask if _is_token(found[2]) else found[0]
        return found[3] + mask if _is_basic(found[4]) else found[0]

    return _SCHEME.sub(one, text)


def _is_token(text: str) -> bool:
    inside = text[1:]
    return any(map(str.isdigit, text)) or (len(text) >= 16 and inside.lower() != inside != inside.upper())


def _is_basic(text: str) -> bool:
    """Whether it is base64 of ``user:password``, or of its beginning."""
    whole = text.rstrip("=")
    whole = whole[: len(whole) // 4 * 4] if len(whole) % 4 == 1 else whole + "=" * (-len(whole) % 4)
    try:
        decoded = base64.b64decode(whole, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in decoded and decoded.isprintable()


_URL: Final = re.compile(r"(://[^\s/?#:@\"'<>]*+:)(?:([^\s/?#\"'<>]+)@|(?![0-9]{1,5}[/?#])([^\s\"'<>]{1,128})@)")


def mask_url_passwords(text: str, mask: str) -> str:
    """``scheme://user:password@host``: the password, also where it was not encoded and holds ``@`` or ``/``."""
    return _URL.sub(lambda found: found[0] if (found[2] or found[3]) == mask else f"{found[1]}{mask}@", text)


_NAME: Final = re.compile(r"(?<![\w.$-])([\w.$-]++)(?:\\?[\"']\s{0,2}:|\]?\s?=(?!=))\s{0,2}")
_VALUE: Final = re.compile(
    r"\\?\"((?:[^\"\\]|\\[^\"])*+)|\\?'((?:[^'\\]|\\[^'])*+)|\{([^{}\"'\r\n]{1,256})\}"
    r"|([^\s&;\"'<>{}\[\]][^\s&;\"'<>]*+)"
)
_NOTHING: Final = frozenset({"", "none", "null", "nil", "true", "false", "undefined", "***", "********", "..."})


def mask_assignments(text: str, mask: str) -> str:
    """``password=...`` and ``"password": "..."``, in URLs, connection strings, JSON and reprs."""
    parts, done, position = [], 0, 0
    while (name := _NAME.search(text, position)) is not None:
        position = name.end()
        if not _is_secret_name(name[1][-128:]):
            continue
        found = _VALUE.match(text, position)
        if found is None:
            continue
        position = found.end()
        start, end = found.span(found.lastindex or 0)
        if found.lastindex == _BARE:
            end = start + len(text[start:end].rstrip(",)}]"))
        if _is_secret_value(text[start:end], name[1][-128:], mask):
            parts += [text[done:start], mask]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


#: The group of a value without quotes.
_BARE: Final = 4


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return names_secret(words_of(name))


def _is_secret_value(value: str, name: str, mask: str) -> bool:
    if value.lower() in _NOTHING or value.startswith(mask):
        return False
    return not (value.isdecimal() and names_count(words_of(name)))


_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})++")


def mask_emails(text: str, mask: str) -> str:
    """E-mail addresses."""
    return _EMAIL.sub(lambda _: mask, text)


def _substituted(pattern: re.Pattern[str]) -> Callable[[str, str], str]:
    return lambda text, mask: pattern.sub(lambda _: mask, text)


CERTAIN: Final = (
    Pattern("private_key", mask_private_keys, ("PRIVATE KEY",)),
    Pattern("jwt", mask_jwts, ("eyJ",)),
    Pattern("aws_key", _substituted(_AWS), ("AKIA", "ASIA")),
    Pattern("api_key", mask_prefixed, ("_", "-", "AIza", "ya29.", "SG.")),
    Pattern("authorization", mask_authorization, ("earer", "asic", "EARER", "ASIC")),
    Pattern("url_password", mask_url_passwords, ("@",)),
    Pattern("assignment", mask_assignments, ("=", '"', "'")),
)
CARDS: Final = Pattern("card", mask_cards, certain=False)
EMAILS: Final = Pattern("email", mask_emails, ("@",), certain=False)
IBANS: Final = Pattern("iban", mask_ibans, certain=False)

_ZEROS: Final = bytes(ord("0") if chr(code).isdecimal() and code < 128 else code for code in range(256))
_13_ZEROS: Final = b"0" * 13


def may_have_card(text: str) -> bool:
    """Whether there are 13 digits in a row, spaces, hyphens and no-break spaces aside."""
    return _13_ZEROS in text.encode("utf-8", "surrogatepass").translate(_ZEROS, b" -\xc2\xa0")


def own_pattern(name: str, expression: str) -> Pattern:
    """A pattern of the application's own."""
    return Pattern(name, _substituted(re.compile(expression)))
