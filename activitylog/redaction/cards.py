"""
Payment card numbers and IBANs in text: the form, the issuer's prefix and the check digit must all be right.

Both are found in linear time: digits are read in maximal runs, each once, and a run is looked at by its groups.
"""

from __future__ import annotations

import re
from typing import Final

#: Digits with single separators between them, in a run that is no part of a word or of a decimal number.
_RUN: Final = re.compile(r"(?<!\w)(?<![0-9]\.)[0-9](?:[ \-\u00a0]?[0-9]){12,}+([^\W_]?)")
_GROUP: Final = re.compile(r"[0-9]+")
#: How cards are printed.
_SHAPES: Final = ((4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (4, 3, 3, 3))
#: Prefixes of issuers, and the lengths of their numbers.
_ISSUER: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12,15}|62[0-9]{14,17}|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # Discover, ...
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15}"  # Maestro
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")


def has_card(digits: str) -> bool:
    """Whether 13 to 19 digits are a card's number."""
    return _ISSUER.fullmatch(digits) is not None and _luhn(digits)


def _luhn(digits: str) -> bool:
    own = sum(map(int, digits[-1::-2]))
    return (own + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])) % 10 == 0


def mask_cards(text: str, mask: str) -> str:
    """Replace each card's number by ``mask``."""
    return _RUN.sub(lambda run: _mask_run(run[0], mask, ends_in_word=bool(run[1])), text)


def _mask_run(run: str, mask: str, *, ends_in_word: bool) -> str:
    groups = list(_GROUP.finditer(run))
    if ends_in_word:
        groups.pop()
    sizes = [len(group[0]) for group in groups]
    parts, done, index = [], 0, 0
    while index < len(groups):
        count = _groups_of_card(groups, sizes, index)
        if count:
            parts += [run[done : groups[index].start()], mask]
            done = groups[index + count - 1].end()
        index += count or 1
    return "".join([*parts, run[done:]])


def _groups_of_card(groups: list[re.Match[str]], sizes: list[int], index: int) -> int:
    """How many groups from this one on are one card; 0 when it begins none."""
    if 13 <= sizes[index] <= 19 and has_card(groups[index][0]):
        return 1
    for shape in _SHAPES:
        count = len(shape)
        if tuple(sizes[index : index + count]) == shape:
            digits = "".join(group[0] for group in groups[index : index + count])
            if has_card(digits):
                return count
    return 0


def mask_ibans(text: str, mask: str) -> str:
    """Replace each IBAN whose check digits are right by ``mask``."""
    return _IBAN.sub(lambda found: _mask_iban(found[0], mask), text)


def _mask_iban(found: str, mask: str) -> str:
    """The longest part, ending where a group ends, that is an IBAN; words after it are not."""
    end = len(found)
    while end > 0:
        compact = found[:end].replace(" ", "")
        if len(compact) >= 15 and int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1:
            return mask + found[end:]
        end = found.rfind(" ", 0, end)
    return found
