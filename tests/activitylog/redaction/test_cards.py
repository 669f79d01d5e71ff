"""Card numbers and IBANs: form, prefix and check digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.redaction.cards import has_card, mask_cards


def _with_check_digit(digits: str) -> str:
    """The digits with the one behind them that makes them valid, by the rule written out."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


@given(st.text("0123456789", min_size=14, max_size=14))
def test_every_visa_number_is_found(middle: str) -> None:
    """With its right check digit it goes, with any other it stays."""
    number = _with_check_digit("4" + middle)
    assert mask_cards(f"card {number}.", "#") == "card #."
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert mask_cards(f"card {wrong}.", "#") == f"card {wrong}."


@pytest.mark.parametrize(
    ("begin", "length"),
    [
        *[("4", 13), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15)],
        *[("300", 14), ("36", 14), ("6011", 16), ("65", 16), ("62", 19), ("3528", 16), ("6304", 13)],
    ],
)
def test_issuers(begin: str, length: int) -> None:
    """The known issuers' prefixes, with the lengths that their numbers have."""
    assert has_card(_with_check_digit(begin + "0" * (length - len(begin) - 1)))


@pytest.mark.parametrize(
    ("begin", "length"), [("1", 16), ("9", 16), ("56", 16), ("2220", 16), ("2721", 16), ("4", 15)]
)
def test_no_issuers(begin: str, length: int) -> None:
    """A valid check digit alone is nothing: one number in ten has it."""
    assert not has_card(_with_check_digit(begin + "0" * (length - len(begin) - 1)))


@pytest.mark.parametrize(
    "text",
    [
        "x4111" + "111111111111",
        "4111" + "111111111111x",
        "4111" + "1111111111110",
        "41 111" + "11111111111",
        "4111" + "  1111  1111  1111",
        "3.4111" + "111111111111",
    ],
)
def test_parts_of_something_else(text: str) -> None:
    """Within words, longer numbers, decimals, or in groups that no card is printed in."""
    assert mask_cards(text, "#") == text


def test_several_in_one_run() -> None:
    """Each is found, and what stands between them stays."""
    one, two = "4111 1111 1111 " + "1111", "5555 5555 5555 " + "4444"
    assert mask_cards(f"1 {one} {two} 2", "#") == "1 # # 2"
