"""Thresholds and randomness: what other implementations of the specification would say."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from activitylog.sampling import randomness
from activitylog.sampling.randomness import (
    SPACE,
    Hasher,
    encode_randomness,
    encode_threshold,
    parse_randomness,
    parse_threshold,
    scrambled,
    threshold_of,
    trace_randomness,
    unit_randomness,
    weight_of,
)

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


class TestThresholds:
    @pytest.mark.parametrize(
        ("share", "th"),
        [(1, "0"), (1 / 2, "8"), (1 / 4, "c"), (1 / 8, "e"), (1 / 16, "f"), (3 / 4, "4"), (1 / 256, "ff")],
    )
    def test_powers_of_two_are_short(self, share: float, th: str) -> None:
        """Trailing zeros are removed; everything kept is ``0``."""
        assert encode_threshold(threshold_of(share)) == th

    @pytest.mark.parametrize(
        ("share", "digits"),
        [
            (1 / 3, "aaaab"),
            (1 / 5, "ccccd"),
            (1 / 10, "e6666"),
            (1 / 100, "fd70a4"),
            (1 / 1_000, "ffbe76d"),
            (1 / 10_000, "fff97247"),
            (1 / 100_000, "ffff583a5"),
            (1 / 1_000_000, "ffffef391"),
        ],
    )
    def test_others_round_to_the_specification_s_table(self, share: float, digits: str) -> None:
        """Its column of five digits after the leading ``f``."""
        unit = 16 ** (14 - len(digits))
        rounded = (threshold_of(share) + unit // 2) // unit
        assert f"{rounded:x}" == digits

    def test_the_smallest_share_is_kept_once_in_2_to_the_56(self) -> None:
        """And no share is rounded to none."""
        assert threshold_of(2.0**-56) == threshold_of(2.0**-80) == SPACE - 1
        assert weight_of(SPACE - 1) == 2.0**56

    @pytest.mark.parametrize("share", [0.5, 0.2, 0.1, 0.05, 0.01, 0.001])
    def test_weights_are_what_one_writes_down(self, share: float) -> None:
        """A share of 0.05 is a weight of 20, to the last digit but one."""
        assert weight_of(threshold_of(share)) == pytest.approx(1 / share, rel=1e-14)

    @given(st.integers(0, SPACE - 1))
    def test_every_threshold_survives_its_text(self, threshold: int) -> None:
        """Leading zeros included."""
        text = encode_threshold(threshold)
        assert 1 <= len(text) <= 14
        assert parse_threshold(text) == parse_threshold(text.upper()) == threshold

    @pytest.mark.parametrize(
        "text", ["", "g", "0x8", "123456789012345", "8 ", " 8", "-1", "٣", None, 8, b"8", ["8"]]
    )
    def test_what_is_no_threshold_is_none(self, text: object) -> None:
        """Whatever an event brings along."""
        assert parse_threshold(text) is None

    @given(st.floats(1e-12, 1), st.floats(1e-12, 1))
    def test_a_greater_share_has_no_greater_threshold(self, one: float, other: float) -> None:
        """So what is kept at the smaller share is kept at the greater one."""
        small, great = sorted((one, other))
        assert threshold_of(small) >= threshold_of(great)


class TestExplicitRandomness:
    @pytest.mark.parametrize(
        ("member", "expected"),
        [
            ("rv:6e6d1a75832a2f", 0x6E6D1A75832A2F),
            ("th:c;rv:d29d6a7215ced0", 0xD29D6A7215CED0),
            ("rv:D29D6A7215CED0;th:8", 0xD29D6A7215CED0),
            ("p:8;rv:00000000000000;x:y", 0),
            ("rv:6e6d1a75832a2", None),
            ("rv:6e6d1a75832a2ff", None),
            ("rv:6e6d1a75832a2g", None),
            ("rv:", None),
            ("rv", None),
            ("xrv:6e6d1a75832a2f", None),
            ("", None),
            (";;;::;", None),
            ("rv:6e6d1a75832a2f" + ";" * 300, None),
            (None, None),
        ],
    )
    def test_the_member_is_read_as_the_specification_writes_it(
        self, member: str | None, expected: int | None
    ) -> None:
        """Exactly 14 hexadecimal digits; anything else says nothing."""
        assert parse_randomness(member) == expected

    @given(st.text(max_size=300))
    def test_any_text_is_read_or_not(self, text: str) -> None:
        """A header from outside never raises."""
        found = parse_randomness(text)
        assert found is None or 0 <= found < SPACE

    @given(st.integers(0, SPACE - 1))
    def test_randomness_survives_its_text(self, number: int) -> None:
        """Leading zeros are part of it."""
        assert parse_randomness(f"th:8;rv:{encode_randomness(number)}") == number


def span(trace_id: str, *, state: str = "") -> NonRecordingSpan:
    """A span with this trace id and ``ot`` member."""
    members = TraceState([("other", "1"), ("ot", state)]) if state else None
    context = SpanContext(int(trace_id, 16), 1, is_remote=True, trace_flags=TraceFlags(1), trace_state=members)
    return NonRecordingSpan(context)


class TestTraces:
    def test_a_trace_is_as_random_as_its_last_seven_bytes(self) -> None:
        """W3C Trace Context, level 2."""
        assert trace_randomness(TRACE_ID) == 0xCE929D0E0E4736

    def test_explicit_randomness_wins(self) -> None:
        """For the trace of the active span."""
        with trace.use_span(span(TRACE_ID, state="th:8;rv:00000000000001")):
            assert trace_randomness(TRACE_ID) == 1

    def test_it_is_not_that_of_another_trace(self) -> None:
        """An event may name a trace that is not the active one."""
        with trace.use_span(span("1" * 32, state="rv:00000000000001")):
            assert trace_randomness(TRACE_ID) == 0xCE929D0E0E4736

    def test_a_broken_member_is_passed_over(self) -> None:
        """The trace id remains."""
        with trace.use_span(span(TRACE_ID, state="rv:zz")):
            assert trace_randomness(TRACE_ID) == 0xCE929D0E0E4736

    def test_the_active_span_s_trace_is_the_unit(self) -> None:
        """Without one there is none."""
        read = unit_randomness("trace", b"key")
        assert read({"event": "a.b"}) is None
        assert read({"event": "a.b", "trace_id": TRACE_ID}) == 0xCE929D0E0E4736
        with trace.use_span(span(TRACE_ID)):
            assert read({"event": "a.b"}) == 0xCE929D0E0E4736


#: BLAKE2b-56 under the key, of ``<kind> NUL <text>``: these never change, or fleets and stored samples fall apart.
GOLDEN = [
    (b"key", "session", "s-1", "499d5c7bc631c0"),
    (b"key", "actor", "s-1", "e9c61cef5a581b"),
    (b"another", "session", "s-1", "a7026c55d7c2cf"),
    (b"key", "session", "", "c59928e0dcae10"),
    (b"key", "session", "пользователь", "3cf62d3691f65d"),
    (b"key", "session", "\ud800", "6b4c9f97100cf5"),
    (b"k" * 100, "session", "s-1", "1879a2a98caa12"),
]


class TestUnits:
    @pytest.mark.parametrize(("key", "kind", "text", "rv"), GOLDEN)
    def test_golden_vectors(self, key: bytes, kind: str, text: str, rv: str) -> None:
        """Whatever the process, the version or the language."""
        assert encode_randomness(Hasher(key, kind)(text)) == rv

    def test_kinds_have_nothing_in_common(self) -> None:
        """A session ``1`` and a tenant ``1`` are decided apart."""
        assert Hasher(b"key", "session")("1") != Hasher(b"key", "tenant")("1")

    def test_other_processes_agree(self) -> None:
        """Whatever their hash seed: a session is kept by all of them or by none."""
        code = (
            "import json; from activitylog.sampling.randomness import Hasher; h = Hasher(b'key', 'session');"
            "print(json.dumps([h(f's-{n}') for n in range(100)]))"
        )
        environment = {**os.environ, "PYTHONHASHSEED": "7"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        hashed = Hasher(b"key", "session")
        assert json.loads(done.stdout) == [hashed(f"s-{n}") for n in range(100)]

    def test_rates_nest(self) -> None:
        """What is kept at 1 % is kept at 5 % and at 20 %, of 100,000 keys."""
        hashed = Hasher(b"key", "session")
        drawn = [hashed(f"s-{n}") for n in range(100_000)]
        kept = [{n for n, r in enumerate(drawn) if r >= threshold_of(p)} for p in (0.01, 0.05, 0.2)]
        assert kept[0] < kept[1] < kept[2]
        assert [round(len(some) / 1000) for some in kept] == [1, 5, 20]

    def test_independent_draws_do_not_nest(self) -> None:
        """The same check would find them."""
        dice = random.Random(1)
        kept = [{n for n in range(10_000) if dice.random() < p} for p in (0.01, 0.05)]
        assert not kept[0] < kept[1]

    def test_the_cache_is_bounded_and_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In entries, and in the length of one."""
        monkeypatch.setattr(randomness, "_MAX_CACHED", 10)
        hashed = Hasher(b"key", "session")
        first = [hashed(f"s-{n}") for n in range(25)]
        hashed("x" * 1000)
        assert len(hashed.cache) <= 10
        assert "x" * 1000 not in hashed.cache
        assert [hashed(f"s-{n}") for n in range(25)] == first

    def test_events_without_the_unit_have_no_number(self) -> None:
        """They are decided one by one; so are all by ``event``."""
        assert unit_randomness("session", b"key")({"event": "a.b"}) is None
        assert unit_randomness("event", b"key")({"event": "a.b", "session": "s"}) is None

    def test_scrambling_is_one_to_one(self) -> None:
        """No two units fall together."""
        assert (
            len({scrambled(n) for n in range(50_000)} | {scrambled(SPACE - 1 - n) for n in range(50_000)})
            == 100_000
        )


class TestGenerator:
    def test_the_application_s_own_is_left_alone(self) -> None:
        """Seeding it makes no event predictable, and no draw of ours shifts its sequence."""
        random.seed(1)
        expected = random.random()
        random.seed(1)
        randomness.generator.random()
        assert random.random() == expected

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
    def test_a_forked_child_draws_a_sequence_of_its_own(self) -> None:
        """Else all children would keep and drop the same events."""
        code = (
            "import os, sys; from activitylog.sampling.randomness import generator\n"
            "for _ in range(2):\n"
            "    pid = os.fork()\n"
            "    if pid == 0:\n"
            "        print(generator.getrandbits(56), flush=True); os._exit(0)\n"
            "    os.waitpid(pid, 0)\n"
            "print(generator.getrandbits(56))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert len(set(done.stdout.split())) == 3
