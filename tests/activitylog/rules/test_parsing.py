"""From what is written to checked rules."""

from __future__ import annotations

import copy
import pickle
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError
from activitylog.rules import NEVER_SAMPLED, Rule, parse_rules
from activitylog.rules.values import READERS
from tests.activitylog.rules.events import matches
from tests.strategies import any_value

#: The rules of the README and of the design, in TOML and in code.
TOML = """
[[rules]]
match = "audit.*"
durable = true
[[rules]]
match = ["page.viewed", "page.left"]
sample = 0.05
by = "session"
keep = ["failure", "denied"]
first = 10
first_per = "actor"
first_window = "1m"
[[rules]]
match = { event = "search.*", severity = { min = "warning" } }
max_per_second = 50
per = "tenant"
[[rules]]
name = "typing"
match = { event = "message.typing" }
rollup = "10s"
rollup_by = ["actor"]
rollup_sum = ["length"]
[[rules]]
match = "healthcheck.*"
drop = true
[[rules]]
match = { or = [{ tenant = 7 }, { attributes = { "http.route" = ["/a", "/b"] } }] }
target_per_second = 5
keep = []
dry_run = true
"""
CODE = [
    Rule(match="audit.*", durable=True),
    Rule(
        match=("page.viewed", "page.left"),
        sample=0.05,
        by="session",
        keep=frozenset({"denied", "failure"}),
        first=10,
        first_per="actor",
    ),
    Rule(match={"event": ["search.*"], "severity": {"min": "warning"}}, max_per_second=50, per="tenant"),
    Rule(name="typing", match="message.typing", rollup_seconds=10, rollup_by=("actor",), rollup_sum=("length",)),
    Rule(match="healthcheck.*", drop=True),
    Rule(
        match={"or": [{"tenant": 7}, {"attributes": {"http.route": ("/a", "/b")}}]},
        target_per_second=5,
        keep=frozenset(),
        dry_run=True,
    ),
]


def written(**keys: Any) -> dict[str, Any]:
    """A table with a match."""
    return {"match": "a.b", **keys}


class TestForms:
    def test_toml_and_code_mean_the_same(self) -> None:
        """Equal rules, with equal names, in any mix."""
        tables = tomllib.loads(TOML)["rules"]
        rules = parse_rules(tables)
        assert rules == parse_rules(CODE) == parse_rules([*tables[:3], *CODE[3:]])
        assert [rule.name for rule in rules] == [
            "audit.*",
            "page.viewed,page.left",
            "search.*",
            "typing",
            "healthcheck.*",
            "rule 6",
        ]

    def test_checked_rules_stay_as_they_are(self) -> None:
        """Also what has been copied meanwhile."""
        rules = parse_rules(CODE)
        assert parse_rules(rules) == rules
        simple = [rule for rule in rules if isinstance(rule.match, (str, tuple))]
        assert list(parse_rules(pickle.loads(pickle.dumps(simple)))) == simple
        assert list(parse_rules(copy.deepcopy(simple))) == simple

    @settings(max_examples=60, deadline=None)
    @given(match=matches(), seconds=st.integers(1, 1000), number=st.integers(1, 100))
    def test_any_match_means_the_same_in_both(self, match: Any, seconds: int, number: int) -> None:
        """A table with a duration as text, and a Rule with seconds."""
        table = {"match": match, "sample": 0.5, "first": number, "first_window": f"{seconds}s"}
        rule = Rule(match=match, sample=0.5, first=number, first_window_seconds=seconds)
        assert parse_rules([table]) == parse_rules([rule])

    def test_rules_are_copies(self) -> None:
        """Who changes a table later changes no rule."""
        table = {"match": {"event": ["a.*"], "tenant": ["t"]}, "drop": True}
        (rule,) = parse_rules([table])
        table["match"]["tenant"].append("u")  # type: ignore[index]
        assert rule.match == {"event": "a.*", "tenant": ("t",)}

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("500ms", 0.5), ("10s", 10), ("1.5 m", 90), ("2h", 7200), ("1d", 86400), (3, 3), (0.5, 0.5)],
    )
    def test_durations(self, text: Any, seconds: float) -> None:
        """Text with a unit, or seconds."""
        assert parse_rules([written(rollup=text)])[0].rollup_seconds == seconds


class TestKeep:
    def test_dropping_means_all_outcomes_unless_it_says_otherwise(self) -> None:
        """The outcomes that are never sampled by default do not save an event from a drop rule."""
        silent, spares, sampled = parse_rules(
            [
                {"match": "a", "drop": True},
                {"match": "b", "drop": True, "keep": ["failure", "denied"]},
                {"match": "c", "sample": 0.5},
            ]
        )
        assert silent.keep == frozenset()
        assert spares.keep == sampled.keep == NEVER_SAMPLED
        assert parse_rules([Rule(match="a", drop=True)])[0].keep == frozenset()
        (given_set,) = parse_rules([Rule(match="b", drop=True, keep=frozenset({"failure"}))])
        assert given_set.keep == frozenset({"failure"})
        assert parse_rules([silent, spares, sampled]) == (silent, spares, sampled)


class TestNames:
    def test_each_rule_has_one_of_its_own(self) -> None:
        """The globs, with a number where another rule has them already; without any, the number of the rule."""
        rules = parse_rules(
            [
                {"match": {"event": "a.*", "tenant": "t"}, "drop": True},
                {"match": {"event": "a.*", "tenant": "u"}, "drop": True},
                {"match": {"tenant": "v"}, "drop": True},
                {"match": "a.*", "drop": True, "name": "a.*#2"},
            ]
        )
        assert [rule.name for rule in rules] == ["a.*", "a.*#3", "rule 3", "a.*#2"]

    def test_a_long_list_has_a_short_name(self) -> None:
        """It is written to every event."""
        (rule,) = parse_rules([{"match": [f"event.number{n}" for n in range(100)], "drop": True}])
        assert rule.name.startswith("event.number0,event.number1,")
        assert len(rule.name) <= 128

    def test_the_same_name_twice(self) -> None:
        """Counters could not be told apart."""
        with pytest.raises(ConfigurationError, match=r"rule 2 \('n'\): rule 1 has this name already"):
            parse_rules([written(drop=True, name="n"), {"match": "b", "drop": True, "name": "n"}])


class TestMistakes:
    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"drop": True}, "rule 1: match is missing"),
            (written(sampl=0.5), "there is no key 'sampl'. Did you mean 'sample'?"),
            (written(rollup_seconds=5), "Write rollup = '10s' in a table"),
            (written(sample=1), "sample is 1. Write keep = true instead"),
            (written(sample=0.0), "sample is 0.0. Write drop = true instead"),
            (written(sample=5), "sample is 5. Accepted: a number below 1"),
            (written(sample="5%"), "sample is '5%'. Accepted: a number below 1"),
            (written(sample=float("nan")), "sample is nan"),
            (written(sample=True), "sample is True"),
            (written(max_per_second=0), "Write drop = true to keep none"),
            (written(max_per_second=1.5), "max_per_second is 1.5. Accepted: a whole number"),
            (written(max_per_second=1, by="trace"), "max_per_second is 1 with by = 'trace'"),
            (written(target_per_second=10**400), "target_per_second is"),
            (written(sample=0.5, by="name"), "the events of a name are no unit"),
            (written(sample=0.5, by=""), "by is ''"),
            (written(max_per_second=5, per="event"), "per is 'event'. Accepted: trace, session"),
            (written(sample=0.5, first=0), "first is 0"),
            (written(rollup="10"), "rollup is '10'. Accepted: a duration such as"),
            (written(rollup="2d"), "one day at the most"),
            (written(rollup=0), "rollup is 0"),
            (written(rollup="5s", rollup_by="actor"), "rollup_by is 'actor'. Accepted: a list"),
            (written(rollup="5s", rollup_by=["a", "a"]), "rollup_by names an attribute twice"),
            (written(rollup="5s", rollup_by=["n"], rollup_sum=["n"]), "share an attribute"),
            (written(rollup="5s", rollup_by=["trace"]), "rollup_by names the trace"),
            (written(sample=0.5, keep=["failed"]), "keep has 'failed' in it, which is no outcome. Did you mean"),
            (written(sample=0.5, keep=False), "keep is False. Accepted: true, or a list"),
            (written(sample=0.5, name="a\nb"), "name is"),
            (written(drop="yes"), "drop is 'yes'. Accepted: true or false"),
            (written(), "it says nothing to be done"),
            (written(drop=False), "it says nothing to be done"),
            (written(dry_run=True), "it says nothing to be done"),
            (written(keep=["failure"]), "it says nothing to be done"),
            (written(drop=True, sample=0.5), "drop and sample contradict each other"),
            (written(keep=True, sample=0.5), "keep and sample contradict each other"),
            (written(drop=True, keep=True), "drop and keep contradict each other"),
            (written(durable=True, rollup="5s"), "durable and rollup contradict each other"),
            (written(durable=True, keep=["failure"]), "keep has no meaning here, and this rule says durable"),
            (written(keep=True, dry_run=True), "dry_run has no meaning here"),
            (written(rollup="5s", max_per_second=5), "rollup and max_per_second contradict"),
            (written(rollup="5s", sample=0.5, first=5), "rollup and first contradict"),
            (written(sample=0.5, target_per_second=5), "sample and target_per_second contradict"),
            (written(rollup="5s", first=5), "first has no meaning here"),
            (written(sample=0.5, per="tenant"), "per has no meaning here"),
            (written(sample=0.5, first_per="actor"), "first_per has no meaning here"),
            (written(sample=0.5, first_window="5s"), "first_window has no meaning here"),
            (written(sample=0.5, rollup_sum=["n"]), "rollup_sum has no meaning here"),
            (written(drop=True, by="trace"), "by has no meaning here, and this rule says drop"),
            (Rule(match="a", rollup_seconds=-1), "rollup_seconds is -1"),
            ("a.b", "it is 'a.b', not a rule"),
        ],
    )
    def test_say_which_key_and_what_is_accepted(self, table: Any, message: str) -> None:
        """What was given, and the next step."""
        with pytest.raises(ConfigurationError, match=re.escape(message)):
            parse_rules([table])

    def test_name_the_rule_and_its_place(self) -> None:
        """Number, name and where it is written."""
        with pytest.raises(ConfigurationError, match=re.escape("rule 2 ('second') at line 8: sample is 7")):
            parse_rules(
                [written(drop=True), {"match": "c", "name": "second", "sample": 7}],
                place=lambda index: f"line {index * 7 + 1}",
            )

    @pytest.mark.parametrize("given_rules", [5, "x", {"match": "a"}, Rule(match="a", drop=True), None, b"x"])
    def test_what_is_no_list(self, given_rules: Any) -> None:
        """One table is a common mistake: [rules] for [[rules]]."""
        with pytest.raises(ConfigurationError, match=re.escape("Write [[rules]] above each rule")):
            parse_rules(given_rules)

    def test_a_list_without_end(self) -> None:
        """Is cut."""
        with pytest.raises(ConfigurationError, match="more than 1,000 rules"):
            parse_rules(iter(lambda: written(drop=True), None))

    def test_values_that_may_be_secrets_are_short(self) -> None:
        """A long text is cut, and of a table only its type is told."""
        with pytest.raises(ConfigurationError) as caught:
            parse_rules([written(by={"token": "secret"}, sample=0.5)])
        assert "secret" not in str(caught.value)
        with pytest.raises(ConfigurationError) as caught:
            parse_rules([written(sample="x" * 5000)])
        assert len(str(caught.value)) < 300

    def test_leave_no_frame_with_the_values(self) -> None:
        """Reporters of errors print what the frames hold."""
        with pytest.raises(ConfigurationError) as caught:
            parse_rules([written(sample=7)])
        assert caught.value.__context__ is None

    @pytest.mark.slow
    @settings(max_examples=150, deadline=None)
    @given(
        rules=any_value()
        | st.lists(
            any_value()
            | st.dictionaries(st.sampled_from(["match", *READERS]), any_value() | matches(), max_size=4),
            max_size=3,
        )
    )
    def test_anything_is_rules_or_a_configuration_error(self, rules: Any) -> None:
        """Whatever a file or a program gives."""
        try:
            checked = parse_rules(rules)
        except ConfigurationError as error:
            checked = ()
            message = str(error)
        else:
            message = ""
        assert len(message) < 1000
        assert all(isinstance(rule, Rule) and rule.name for rule in checked)

    @pytest.mark.slow
    @settings(max_examples=300, deadline=None)
    @given(key=st.sampled_from(list(READERS)), value=any_value())
    def test_any_value_of_any_key(self, key: str, value: Any) -> None:
        """Is what the key may be, or a configuration error that says what it may be."""
        try:
            checked = READERS[key](key, value)
        except ConfigurationError as error:
            checked, message = None, str(error)
        else:
            message = key
        assert message.startswith(key)
        assert checked is None or type(checked) in (bool, str, int, float, tuple, frozenset)


class TestReach:
    @pytest.mark.parametrize(
        ("matches_given", "message"),
        [
            (["*", "a"], "rule 2 ('a'): it can never take an event, because rule 1 ('*') before it takes them"),
            ([["b", "*"], {"tenant": "t"}], "rule 2: it can never"),
            (["message.*", "message.sent"], "rule 2 ('message.sent')"),
            (["message.*", {"event": "message.sent", "tenant": "t"}], "rule 2 ('message.sent')"),
            (["a", "b.*", ["a", "b.c"]], "rule 3 ('a,b.c')"),
            (["a", "a"], "rule 2 ('a#2')"),
        ],
    )
    def test_a_rule_that_no_event_reaches(self, matches_given: list[Any], message: str) -> None:
        """Is in the wrong place, or is wrong."""
        with pytest.raises(ConfigurationError, match=re.escape(message)):
            parse_rules([{"match": match, "keep": True} for match in matches_given])

    @pytest.mark.parametrize(
        "matches_given",
        [
            ["message.sent", "message.*", "*"],
            [{"event": "*", "tenant": "t"}, "*"],
            [{"event": "a", "tenant": "t"}, {"event": "a", "tenant": "u"}, "a"],
            ["a", ["a", "b"]],
            [{"not": "a"}, "a"],
        ],
    )
    def test_rules_that_share_some_events(self, matches_given: list[Any]) -> None:
        """Are what first match wins is for."""
        assert len(parse_rules([{"match": match, "keep": True} for match in matches_given])) == len(matches_given)
