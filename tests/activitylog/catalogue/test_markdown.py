"""Markdown for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings

from activitylog.catalogue import Attribute, AttributeFigures, Catalogue, Entry, EventFigures, markdown
from activitylog.visible import visible_lines
from tests.activitylog.catalogue.strategies import CATALOGUES
from tests.activitylog.catalogue.test_json_file import CATALOGUE

TEXT = """\
# Event catalogue

| event | what it means | owner |
|---|---|---|
| [`message.sent`, version 2](#messagesent-version-2) | A member posted a message. | team-chat |
| [`page.viewed`](#pageviewed) |  |  |

## `message.sent`, version 2

A member posted a message.

* Owner: team-chat
* Class: `myapp.events:MessageSent`
* To what: `message`

| attribute | type | required | what it means |
|---|---|---|---|
| `channel` | text | yes | where it was posted |
| `length` | integer |  |  |

## `page.viewed`
"""


class TestMarkdown:
    def test_the_text(self) -> None:
        """A table of all, then each."""
        assert markdown(CATALOGUE) == TEXT

    def test_nothing(self) -> None:
        """An empty catalogue."""
        assert markdown(Catalogue()) == "# Event catalogue\n\nThere are no events.\n"

    def test_figures(self) -> None:
        """Volume with its error, when it was seen, how often attributes are there, how sure their types are."""
        entry = Entry(
            name="page.viewed",
            figures=EventFigures(
                events=12_000,
                standard_error=100,
                trust="yes",
                first=datetime(2026, 5, 1, tzinfo=UTC),
                last=datetime(2026, 5, 9, tzinfo=UTC),
            ),
            attributes=(
                Attribute(
                    name="ms",
                    type="text",
                    figures=AttributeFigures(share=0.5, rows=3, kinds={"integer": 2, "text": 1}),
                ),
            ),
        )
        text = markdown(Catalogue((entry,)), figures=True)
        assert "| [`page.viewed`](#pageviewed) | 12,000 ± 196 | 2026-05-09 |  |  |" in text
        assert "* Events: 12,000 ± 196\n* Seen: 2026-05-01 to 2026-05-09 (UTC)" in text
        assert "| `ms` | text |  | 50 % | 67 % integer, 33 % text |  |" in text

    def test_only_the_first_sentence_stands_in_the_table(self) -> None:
        """The rest below."""
        text = markdown(Catalogue((Entry(name="a.b", doc="It is v1.2 of it. And more.\n\nMuch more."),)))
        assert "| It is v1.2 of it. |" in text
        assert "\nIt is v1.2 of it. And more.\n\nMuch more.\n" in text

    def test_names_from_anybody(self) -> None:
        """Bars, backticks, line ends and escape sequences break neither table nor terminal."""
        entry = Entry(name="a|b`c\n\x1b[31m", owner="x|y", attributes=(Attribute(name="<b>|", type="text"),))
        text = markdown(Catalogue((entry,)))
        assert "<code>a&#124;b&#96;c&#92;n&#92;x1b&#91;31m</code>" in text
        assert "| <code>&#60;b&#62;&#124;</code> | text |" in text
        assert "| x&#124;y |" in text
        assert visible_lines(text) == text

    @pytest.mark.slow
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CATALOGUES)
    def test_every_line_of_a_table_has_its_cells(self, catalogue: Catalogue) -> None:
        """Whatever stands in it."""
        text = markdown(Catalogue(catalogue.entries), figures=True)
        rows = [line for line in text.split("\n") if re.match(r"\| \[?(`|<code>)", line)]
        assert {line.count("|") for line in rows} <= {6, 7}
        assert len(rows) == sum(1 + len(entry.attributes) for entry in catalogue.entries)

    def test_anchors_of_names_that_sound_alike(self) -> None:
        """GitHub leaves dots out, and numbers what is the same then."""
        text = markdown(Catalogue.of([Entry(name="a.bc"), Entry(name="ab.c")]))
        assert "[`a.bc`](#abc)" in text
        assert "[`ab.c`](#abc-1)" in text
