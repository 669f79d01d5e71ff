from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from activitylog.integrations.django.admin.entries import Entry, entries_of
from activitylog.integrations.django.admin.links import Links
from activitylog.integrations.django.admin.timeline import Row, Subject
from tests.activitylog.integrations.django.admin.conftest import SITE
from tests.activitylog.integrations.django.admin.site import site

pytestmark = [pytest.mark.django_db, pytest.mark.urls(SITE)]

MESSAGE = Subject(["chat.message"], "7")


@pytest.fixture
def links(rf: Any, root: Any) -> Links:
    """Of a page that ``root`` looks at."""
    request = rf.get("/")
    request.user = root
    return Links(site, request)


def line(links: Links, subject: Subject = MESSAGE, **values: Any) -> Entry:
    """An event as it is shown."""
    nothing = dict.fromkeys(Row.__slots__, "")
    numbers = {"ns": 0, "seq": 0, "count": 1, "weight": 1.0, "status": 0, "attributes": {}, "outcome": "success"}
    (found,) = entries_of([Row(**{**nothing, **numbers, **values})], subject, links)
    return found


def facts(links: Links, **attributes: str) -> list[tuple[str, str]]:
    """Names and values that are shown of these attributes."""
    entry = line(links, attributes={key.replace("__", "."): value for key, value in attributes.items()})
    return [("".join(name), "".join(value)) for name, value in entry.facts]


class TestFacts:
    def test_are_what_the_application_says(self, links):
        """And of the library's own what people want to know."""
        said = {"activity__sanitized": "[]", "activity__object__name": "Tea", "exception__stacktrace": "..."}
        assert facts(links, n="5", **said) == [("n", "5"), ("name", "Tea")]

    def test_lists_are_written_as_people_write_them(self, links):
        """What was cut, and what only looks like one, is shown as it is."""
        given = {"a": '["text","edited"]', "b": "[1,null]", "c": '["cut', "d": "[draft] x", "e": "[]"}
        assert [value for _, value in facts(links, **given)] == [
            "text, edited",
            "1, null",
            '["cut',
            "[draft] x",
            "",
        ]

    def test_changes_of_a_model_are_told_field_by_field(self, links):
        """As the capture of model changes keeps them."""
        given = '{"text":["old","new"],"edited":[false,true],"tags":"[redacted]","n":[null,3]}'
        assert facts(links, changes=given) == [
            ("text", "old → new"),
            ("edited", "false → true"),
            ("tags", "[redacted]"),
            ("n", "null → 3"),
        ]
        assert facts(links, changes="nothing") == [("changes", "nothing")]
        assert facts(links, changes="[" * 100_000)[0][0] == "changes"

    def test_are_a_dozen_at_most(self, links):
        """With a mark that there are more."""
        assert len(facts(links, **{f"a{n}": "x" for n in range(12)})) == 12
        found = facts(links, **{f"a{n}": "x" for n in range(13)})
        assert found[11:] == [("a11", "x"), ("…", "")]


class TestLinks:
    @pytest.mark.parametrize("identifier", ["nobody", "9" * 40, "", "\x00", "1.5", "\ud800", "-1"])
    def test_ids_that_are_no_keys_are_texts(self, links, identifier):
        """What is stored is from anybody; the database is not asked for it."""
        assert line(links, actor_type="user", actor=identifier).actor.url == ""

    def test_names_are_those_of_users(self, links):
        """With the full name, where there is one."""
        ann = User.objects.create_user("ann")
        assert "".join(line(links, actor_type="user", actor=str(ann.pk)).actor.text) == "ann"
        assert "".join(line(links, actor_type="auth.user", actor=str(ann.pk)).actor.text) == "ann"
        assert "".join(line(links, actor_type="service", actor=str(ann.pk)).actor.text) == f"service {ann.pk}"

    def test_ids_become_parts_of_paths_and_nothing_else(self, links):
        """However they are written."""
        link = line(links, Subject(["user"], "1", acting=True), object_type="chat.message", object="../a?b#c")
        assert link.object.url == "/admin/chat/message/.._2Fa_3Fb_23c/history/"

    def test_further_types_lead_to_the_same_page(self, links):
        """Those that the page names."""
        found = line(links, Subject(["user"], "1", acting=True), object_type="message", object="7")
        assert found.object.url == "/admin/chat/message/7/history/"


class TestEntry:
    def test_its_time_is_that_of_whoever_looks(self, links, settings):
        """Where Django works without time zones, too."""
        settings.USE_TZ = False
        with timezone.override("Asia/Tokyo"):
            found = line(links, ns=1_772_323_200_123_456_789)
        assert found.time.isoformat() == "2026-03-01T09:00:00.123456+09:00"
        assert found.exact_time == "2026-03-01T00:00:00.123456789Z"

    def test_numbers_are_rounded(self, links):
        """An estimate."""
        assert [line(links, count=c, weight=w).number for c, w in ((1, 1.0), (1, 1.5), (1000, 3.0))] == [
            "",
            "2",
            "3,000",
        ]

    def test_an_outcome_that_is_not_success_is_said(self, links):
        """With its error; only two of them are failures."""
        assert "".join(line(links, outcome="denied", error="not_a_member").verdict) == "denied: not_a_member"
        assert line(links, outcome="denied").failed
        assert not line(links, outcome="unknown").failed
        assert line(links, outcome="success").verdict == ()
