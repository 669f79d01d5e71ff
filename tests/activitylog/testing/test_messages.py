"""What users see when an assertion fails, literally: each test below is a test of theirs."""

from __future__ import annotations

import textwrap

import pytest

from tests.activitylog.testing.runs import failure

pytest_plugins = ["pytester"]

#: What their program emits before the line that fails.
PROGRAM = """
import activitylog
import dirty_equals
import pytest
from unittest.mock import ANY
from activitylog.testing import IsEvent


class User:
    is_authenticated = True

    def __init__(self, id):
        self.id = id


@pytest.fixture
def some(activity):
    activitylog.emit("message.sent", actor=User(42), object=("message", 7), channel="random", length=312)
    activitylog.emit("message.sent", actor="user:43", object=("message", 8), channel="general")
    activitylog.emit("message.read", actor="user:43", object=("message", 7))
    return activity


def test(some):
"""


def literal(text: str) -> str:
    """A message as it is written below."""
    return textwrap.dedent(text).strip("\n")


CASES = {
    "another value, in the nearest events": (
        """some.assert_emitted("message.sent", actor=User(42), channel="general")""",
        """
        message.sent with actor='user:42', channel='general' was not emitted.
        Nearest:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
                  channel: expected 'general'
                           actual   'random'
          [1] message.sent user:43 -> message:8 success channel='general'
                  actor: expected 'user:42'
                         actual   'user:43'
        Others:
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "a slip in the name": (
        """some.assert_emitted("mesage.read", length=3)""",
        """
        mesage.read with length=3 was not emitted.
        Nearest:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
                  event: expected 'mesage.read'
                         actual   'message.sent'
                  length: expected 3
                          actual   312
          [1] message.sent user:43 -> message:8 success channel='general'
                  event: expected 'mesage.read'
                         actual   'message.sent'
                  length: expected 3
                          actual   missing
          [2] message.read user:43 -> message:7 success
                  event: expected 'mesage.read'
                         actual   'message.read'
                  length: expected 3
                          actual   missing
        """,
    ),
    "a slip in a key, and another type": (
        """some.assert_emitted("message.sent", chanel="random", length="312", object=None)""",
        """
        message.sent with chanel='random', length='312', object=None was not emitted.
        Nearest:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
                  chanel: expected 'random'
                          actual   missing (it has 'channel')
                  length: expected '312'
                          actual   312
                  object: expected None
                          actual   'message:7'
          [1] message.sent user:43 -> message:8 success channel='general'
                  chanel: expected 'random'
                          actual   missing (it has 'channel')
                  length: expected '312'
                          actual   missing
                  object: expected None
                          actual   'message:8'
        Others:
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "a name that nothing is like": (
        """some.assert_emitted("order.paid")""",
        """
        order.paid was not emitted.
        Emitted:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
          [1] message.sent user:43 -> message:8 success channel='general'
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "nothing at all": (
        """
        some.clear()
        some.assert_emitted("order.paid", price=dirty_equals.IsFloat(gt=3))
        """,
        """
        order.paid with price=IsFloat(gt=3) was not emitted; nothing was.
        """,
    ),
    "other expectations than values": (
        """
        activitylog.emit("order.paid", note=7, ratio=0.5)
        some.assert_emitted("order.paid", note=dirty_equals.IsStr(regex="x.*"), ratio=pytest.approx(0.6), by=ANY)
        """,
        """
        order.paid with note=IsStr(regex='x.*'), ratio=0.6 ± 6.0e-07, by=<ANY> was not emitted.
        Nearest:
          [3] order.paid success note=7 ratio=0.5
                  note: expected IsStr(regex='x.*')
                        actual   7
                  ratio: expected 0.6 ± 6.0e-07
                         actual   0.5
                  by: expected <ANY>
                      actual   missing
        Others:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
          [1] message.sent user:43 -> message:8 success channel='general'
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "an expectation that another event met": (
        """some.assert_emitted("message.sent", channel=dirty_equals.IsStr(regex="gen.*"), length=312)""",
        """
        message.sent with channel=IsStr(regex='gen.*'), length=312 was not emitted.
        Nearest:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
                  channel: expected IsStr(regex='gen.*')
                           actual   'random'
          [1] message.sent user:43 -> message:8 success channel='general'
                  length: expected 312
                          actual   missing
        Others:
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "a value inside a mapping": (
        """
        activitylog.emit("order.paid", card={"brand": "visa", "address": {"city": "Bern", "zip": "3000"}})
        some.assert_emitted("order.paid", card={"brand": "visa", "address": {"city": "Basel", "street": "A"}})
        """,
        """
        order.paid with card={'brand': 'visa', 'address': {'city': 'Basel', 'street': 'A'}} was not emitted.
        Nearest:
          [3] order.paid success card={'brand': 'visa', 'address': {'city': 'Bern', 'zip': '3000'}}
                  card.address.city: expected 'Basel'
                                     actual   'Bern'
                  card.address.street: expected 'A'
                                       actual   missing
                  card.address.zip: expected missing
                                    actual   '3000'
        Others:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
          [1] message.sent user:43 -> message:8 success channel='general'
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "long values": (
        """
        some.clear()
        activitylog.emit("order.paid", note="n" * 500 + "a" + "m" * 500)
        some.assert_emitted("order.paid", note="n" * 500 + "b" + "m" * 500)
        """,
        f"""
        order.paid with note='{"n" * 178}... was not emitted.
        Nearest:
          [0] order.paid success note='{"n" * 78}...
                  note: expected ...{"n" * 20}b{"m" * 179}...
                        actual   ...{"n" * 20}a{"m" * 179}...
        """,
    ),
    "values that look the same": (
        """
        class Channel:
            def __repr__(self):
                return "'random'"

        some.assert_emitted("message.sent", channel=Channel(), length=312)
        """,
        """
        message.sent with channel='random', length=312 was not emitted.
        Nearest:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
                  channel: expected 'random' (Channel)
                           actual   'random' (str)
          [1] message.sent user:43 -> message:8 success channel='general'
                  channel: expected 'random'
                           actual   'general'
                  length: expected 312
                          actual   missing
        Others:
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "many others": (
        """
        some.clear()
        activitylog.emit_many("user.activated", [("user", n) for n in range(100)])
        some.assert_emitted("user.activated", actor="user:1", object="user:101")
        """,
        """
        user.activated with actor='user:1', object='user:101' was not emitted.
        Nearest:
          [0] user.activated -> user:0 success
                  actor: expected 'user:1'
                         actual   missing
                  object: expected 'user:101'
                          actual   'user:0'
          [1] user.activated -> user:1 success
                  actor: expected 'user:1'
                         actual   missing
                  object: expected 'user:101'
                          actual   'user:1'
          [2] user.activated -> user:2 success
                  actor: expected 'user:1'
                         actual   missing
                  object: expected 'user:101'
                          actual   'user:2'
        Others:
          [3] user.activated -> user:3 success
          [4] user.activated -> user:4 success
          [5] user.activated -> user:5 success
          [6] user.activated -> user:6 success
          [7] user.activated -> user:7 success
          [8] user.activated -> user:8 success
          [9] user.activated -> user:9 success
          [10] user.activated -> user:10 success
          [11] user.activated -> user:11 success
          [12] user.activated -> user:12 success
          ... and 87 more
        """,
    ),
    "none of several": (
        """some.assert_emitted("order.paid", times=2)""",
        """
        order.paid was emitted 0 times, expected: 2.
        Emitted:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
          [1] message.sent user:43 -> message:8 success channel='general'
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "none of several, and nothing else": (
        """
        some.clear()
        some.one("order.paid")
        """,
        """
        order.paid was emitted 0 times, expected: 1.
        Nothing was emitted.
        """,
    ),
    "too few": (
        """some.assert_emitted("message.sent", times=2, channel="general")""",
        """
        message.sent with channel='general' was emitted once, expected: 2.
          [1] message.sent user:43 -> message:8 success channel='general'
        Nearest:
          [0] message.sent user:42 -> message:7 success channel='random' length=312
                  channel: expected 'general'
                           actual   'random'
        Others:
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "too many": (
        """some.one("message.sent")""",
        """
        message.sent was emitted 2 times, expected: 1.
          [0] message.sent user:42 -> message:7 success channel='random' length=312
          [1] message.sent user:43 -> message:8 success channel='general'
        """,
    ),
    "what should not be there": (
        """some.assert_not_emitted("message.sent", actor=ANY)""",
        """
        message.sent with actor=<ANY> was emitted 2 times, expected: never.
          [0] message.sent user:42 -> message:7 success channel='random' length=312
          [1] message.sent user:43 -> message:8 success channel='general'
        """,
    ),
    "an expectation that should not be met": (
        """some.assert_not_emitted("message.sent", channel=dirty_equals.IsStr(regex="gen.*"))""",
        """
        message.sent with channel=IsStr(regex='gen.*') was emitted once, expected: never.
          [1] message.sent user:43 -> message:8 success channel='general'
        """,
    ),
    "anything where there should be nothing": (
        """some.assert_nothing_emitted()""",
        """
        3 events were emitted, expected: none.
          [0] message.sent user:42 -> message:7 success channel='random' length=312
          [1] message.sent user:43 -> message:8 success channel='general'
          [2] message.read user:43 -> message:7 success
        """,
    ),
    "counts": (
        """some.assert_counts({"message.sent": 3, "order.paid": dirty_equals.IsInt(ge=1)})""",
        """
        Events were emitted in other numbers than expected:
          message.sent: expected 3, actual 2
          order.paid: expected IsInt(ge=1), actual 0
          message.read: expected 0, actual 1
        """,
    ),
    "exactly these": (
        """
        some.assert_emitted_exactly([
            "message.sent",
            "order.paid",
            ("message.sent", {"channel": "general", "actor": User(42)}),
        ])
        """,
        """
        Other events were emitted than expected:
            [0] message.sent user:42 -> message:7 success channel='random' length=312
          - IsEvent('order.paid')
          - IsEvent('message.sent', channel='general', actor='user:42')
          + [1] message.sent user:43 -> message:8 success channel='general'
                  actor: expected 'user:42'
                         actual   'user:43'
          + [2] message.read user:43 -> message:7 success
        """,
    ),
    "exactly these, in any order": (
        """
        some.assert_emitted_exactly(
            ["message.read", ("message.sent", {"channel": "other"}), IsEvent("message.sent", channel="general")],
            any_order=True,
        )
        """,
        """
        Other events were emitted than expected:
          - IsEvent('message.sent', channel='other')
          + [0] message.sent user:42 -> message:7 success channel='random' length=312
                  channel: expected 'other'
                           actual   'random'
            [1] message.sent user:43 -> message:8 success channel='general'
            [2] message.read user:43 -> message:7 success
        """,
    ),
    "in this order": (
        """some.assert_emitted_in_order(["message.read", "order.paid"])""",
        """
        Not all of the expected events were emitted in this order:
            [0] message.sent user:42 -> message:7 success channel='random' length=312
            [1] message.sent user:43 -> message:8 success channel='general'
            [2] message.read user:43 -> message:7 success
          - IsEvent('order.paid')
        """,
    ),
    "one among very many": (
        """
        some.clear()
        activitylog.emit_many("user.activated", [("user", n) for n in range(1000)])
        some.assert_emitted_exactly([("user.activated", {"object": ("user", n)}) for n in range(1000) if n != 500])
        """,
        """
        Other events were emitted than expected:
            [0] user.activated -> user:0 success
            [1] user.activated -> user:1 success
            [2] user.activated -> user:2 success
            [3] user.activated -> user:3 success
            [4] user.activated -> user:4 success
            ... 490 more
            [495] user.activated -> user:495 success
            [496] user.activated -> user:496 success
            [497] user.activated -> user:497 success
            [498] user.activated -> user:498 success
            [499] user.activated -> user:499 success
          + [500] user.activated -> user:500 success
            [501] user.activated -> user:501 success
            [502] user.activated -> user:502 success
            [503] user.activated -> user:503 success
            [504] user.activated -> user:504 success
            [505] user.activated -> user:505 success
            ... 489 more
            [995] user.activated -> user:995 success
            [996] user.activated -> user:996 success
            [997] user.activated -> user:997 success
            [998] user.activated -> user:998 success
            [999] user.activated -> user:999 success
        """,
    ),
    "an error that the program swallowed": (
        """
        some.clear()
        try:
            activitylog.emit("order.paid", order=object())
        except Exception:
            pass
        some.assert_emitted("order.paid")
        """,
        """
        order.paid was not emitted; nothing was.
        emit failed: StrictModeError: The event 'order.paid' cannot be stored as it was given: order:type.
        """,
    ),
    "events that rules keep back": (
        """
        some.clear()
        some.configure(rules=[{"match": "a.*", "drop": True}, {"match": "c.*", "rollup": "10s"}])
        activitylog.emit("a.b")
        activitylog.emit("c.d")
        some.assert_emitted("c.d")
        """,
        """
        c.d was not emitted; nothing was.
        Events that were not kept: drop 1.
        Events that wait in windows of rules: 1; activitylog.flush() emits them.
        """,
    ),
    "what must not reach a terminal": (
        r"""
        some.clear()
        activitylog.emit("order.paid", actor="user:\x1b[31m\nE   passed", note="\u202e")
        some.assert_nothing_emitted()
        """,
        r"""
        1 event was emitted, expected: none.
          [0] order.paid user:\x1b[31m\nE   passed success note='\u202e'
        """,
    ),
}

ASSERTS = {
    "events": (
        """assert some.events == [IsEvent("message.sent", channel="general"), IsEvent("message.read")]""",
        """
        assert captured events == expected events
            + [0] message.sent user:42 -> message:7 success channel='random' length=312
              [1] message.sent user:43 -> message:8 success channel='general'
              [2] message.read user:43 -> message:7 success
        """,
    ),
    "the other way round, and the whole": (
        """assert [IsEvent("message.sent"), IsEvent("message.sent", length=3), IsEvent("message.read")] == some""",
        """
        assert captured events == expected events
              [0] message.sent user:42 -> message:7 success channel='random' length=312
            - IsEvent('message.sent', length=3)
            + [1] message.sent user:43 -> message:8 success channel='general'
                    length: expected 3
                            actual   missing
              [2] message.read user:43 -> message:7 success
        """,
    ),
    "nothing": (
        """assert some[2:] == []""",
        """
        assert captured events == expected events
            + [0] message.read user:43 -> message:7 success
        """,
    ),
    "one event": (
        """assert some.one("message.read") == IsEvent("message.read", actor=User(44))""",
        """
        assert captured event == expected event
            - IsEvent('message.read', actor='user:44')
            + [0] message.read user:43 -> message:7 success
                    actor: expected 'user:44'
                           actual   'user:43'
        """,
    ),
    "in": (
        """assert IsEvent("message.read", length=3) in some""",
        """
        assert expected event in captured events
          message.read with length=3 was not emitted.
          Nearest:
            [2] message.read user:43 -> message:7 success
                    length: expected 3
                            actual   missing
          Others:
            [0] message.sent user:42 -> message:7 success channel='random' length=312
            [1] message.sent user:43 -> message:8 success channel='general'
        """,
    ),
    "not in": (
        """assert IsEvent("message.read") not in some.events""",
        """
        assert expected event not in captured events
          message.read was emitted once, expected: never.
            [2] message.read user:43 -> message:7 success
        """,
    ),
    "names": (
        """assert some.names == ["message.sent", "message.read"]""",
        """
        assert ['message.sen...message.read'] == ['message.sen...message.read']

          At index 1 diff: 'message.sent' != 'message.read'
          Left contains one more item: 'message.read'
          Use -v to get more diff
        """,
    ),
    "counts": (
        """assert some.counts == {"message.sent": 2, "message.read": 2}""",
        """
        assert {'message.sen...sage.read': 1} == {'message.sen...sage.read': 2}

          Omitting 1 identical items, use -vv to show
          Differing items:
          {'message.read': 1} != {'message.read': 2}
          Use -v to get more diff
        """,
    ),
    "a summary": (
        """assert some.summary()[2:] == ["message.read user:43 success"]""",
        """
        assert ['message.rea...ge:7 success'] == ['message.rea...r:43 success']

          At index 0 diff: 'message.read user:43 -> message:7 success' != 'message.read user:43 success'
          Use -v to get more diff
        """,
    ),
    "what is not ours": (
        """assert [1, 2] == [1, 3]""",
        """
        assert [1, 2] == [1, 3]

          At index 1 diff: 2 != 3
          Use -v to get more diff
        """,
    ),
}


class TestAssertions:
    @pytest.mark.parametrize(("body", "message"), CASES.values(), ids=CASES)
    def test_say_what_is_wrong(self, pytester: pytest.Pytester, body: str, message: str) -> None:
        """In the line of the test that fails; our own frames are not shown."""
        assert failure(pytester, PROGRAM, body) == literal(message)


class TestAsserts:
    @pytest.mark.parametrize(("body", "message"), ASSERTS.values(), ids=ASSERTS)
    def test_show_what_differs(self, pytester: pytest.Pytester, body: str, message: str) -> None:
        """Of a plain assert, by pytest's own rewriting."""
        assert failure(pytester, PROGRAM, body) == literal(message)
