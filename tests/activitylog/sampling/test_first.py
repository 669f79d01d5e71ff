"""The first events of each kind in a window."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.rules import compile_rules
from activitylog.sampling import first
from activitylog.sampling.first import FirstOfKey
from tests.activitylog.sampling.simulation import Clock


def first_of(clock: Clock, **rule: Any) -> FirstOfKey:
    """Of a rule that samples the rest."""
    (parsed,) = compile_rules([{"match": "*", "sample": 0.5, **rule}]).rules
    return FirstOfKey(parsed, clock)


def takes(of: FirstOfKey, name: str = "a.b", outcome: str = "success", **values: Any) -> bool:
    """Whether an event is one of the first."""
    return of.takes({"event": name, **values}, outcome)


class TestFirstOfKey:
    def test_so_many_of_each_name_tenant_and_outcome(self) -> None:
        """Each combination has its own count."""
        of = first_of(Clock(), first=2)
        assert [takes(of) for _ in range(3)] == [True, True, False]
        assert takes(of, "a.c")
        assert takes(of, outcome="unknown")
        assert [takes(of, tenant="acme") for _ in range(3)] == [True, True, False]

    def test_a_key_of_the_rule_s_own_is_part_of_it(self) -> None:
        """Such as the first of each session."""
        of = first_of(Clock(), first=1, first_per="session")
        assert [takes(of, session=session) for session in ("a", "b", "a", "b")] == [True, True, False, False]
        assert [takes(of), takes(of)] == [True, False]

    def test_every_window_begins_anew(self) -> None:
        """At whole multiples of its length."""
        clock = Clock()
        of = first_of(clock, first=1, first_window="10s")
        seen = []
        for second in (0, 5, 9.9, 10, 19, 20, 50):
            clock.at(second)
            seen.append(takes(of))
        assert seen == [True, False, False, True, False, True, True]

    def test_a_small_step_back_of_the_clock_begins_no_window(self) -> None:
        """A step into a window long gone does."""
        clock = Clock()
        of = first_of(clock, first=1, first_window="10s")
        clock.at(20)
        assert takes(of)
        clock.at(19.5)
        assert not takes(of)
        clock.at(0)
        assert takes(of)

    def test_beyond_the_bound_nothing_new_is_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that names made out of data fill no memory; what is known is counted on."""
        monkeypatch.setattr(first, "MAX_KEYS", 2)
        of = first_of(Clock(), first=2)
        assert [takes(of, name) for name in ("a.a", "a.b", "a.c", "a.a", "a.c", "a.a")] == [
            True,
            True,
            False,
            True,
            False,
            False,
        ]
