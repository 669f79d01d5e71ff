"""The file: a round trip, what differs in it, what is wrong in it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from activitylog.catalogue import (
    Attribute,
    AttributeFigures,
    Catalogue,
    Entry,
    EventFigures,
    dumps,
    load,
    loads,
    save,
)
from activitylog.exceptions import ConfigurationError
from activitylog.visible import visible_lines
from tests.activitylog.catalogue.strategies import CATALOGUES

CATALOGUE = Catalogue.of(
    [
        Entry(
            name="message.sent",
            version=2,
            doc="A member posted a message.",
            owner="team-chat",
            declared_by="myapp.events:MessageSent",
            objects=("message",),
            attributes=(
                Attribute(name="channel", type="text", required=True, declared=True, doc="where it was posted"),
                Attribute(
                    name="length", type="integer", declared=True, figures=AttributeFigures(share=0.5, rows=3)
                ),
            ),
            figures=EventFigures(events=3, rows=3),
        ),
        Entry(name="page.viewed"),
    ]
)
TEXT = """\
{
  "format": "activitylog catalogue 1",
  "events": [
    {
      "name": "message.sent",
      "version": 2,
      "owner": "team-chat",
      "doc": "A member posted a message.",
      "class": "myapp.events:MessageSent",
      "objects": ["message"],
      "attributes": {
        "channel": {"type": "text", "required": true, "declared": true, "doc": "where it was posted"},
        "length": {"type": "integer", "declared": true, "doc": ""}
      }
    },
    {
      "name": "page.viewed",
      "owner": "",
      "doc": ""
    }
  ]
}
"""


def without_figures(catalogue: Catalogue) -> Catalogue:
    """What is written when figures are not asked for."""
    return Catalogue(
        tuple(
            dataclasses.replace(
                entry,
                figures=None,
                attributes=tuple(dataclasses.replace(one, figures=None) for one in entry.attributes),
            )
            for entry in catalogue.entries
        )
    )


class TestRoundTrip:
    def test_the_text(self) -> None:
        """Sorted, a line an attribute, no figures."""
        assert dumps(CATALOGUE) == TEXT
        assert dumps(Catalogue()) == '{\n  "format": "activitylog catalogue 1",\n  "events": [\n  ]\n}\n'

    @pytest.mark.slow
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CATALOGUES)
    def test_with_figures(self, catalogue: Catalogue) -> None:
        """Whatever the names, documentation and numbers are."""
        assert loads(dumps(catalogue, figures=True)) == catalogue

    @pytest.mark.slow
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CATALOGUES)
    def test_without_figures(self, catalogue: Catalogue) -> None:
        """All but these; and what was read is written as it was."""
        text = dumps(catalogue)
        assert loads(text) == without_figures(catalogue)
        assert dumps(loads(text)) == text

    @pytest.mark.slow
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CATALOGUES)
    def test_it_is_json_that_any_terminal_shows(self, catalogue: Catalogue) -> None:
        """Names in a store may come from anybody."""
        text = dumps(catalogue, figures=True)
        json.loads(text)
        assert visible_lines(text) == text

    def test_a_difference_is_a_line(self) -> None:
        """So that it can be reviewed."""
        other = dumps(loads(TEXT.replace('"channel": {"type": "text"', '"channel": {"type": "integer"')))
        assert len([1 for one, two in zip(TEXT.split("\n"), other.split("\n"), strict=True) if one != two]) == 1


class TestSave:
    def test_whole_or_not_at_all(self, tmp_path: Path) -> None:
        """The old file stays where the new one cannot be written, and nothing is left behind."""
        path = tmp_path / "catalogue.json"
        save(CATALOGUE, path)
        broken = Catalogue((Entry(name="a.b", attributes=(Attribute(name="x", type=object()),)),))  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            save(broken, path)
        assert path.read_text() == TEXT
        assert [file.name for file in tmp_path.iterdir()] == ["catalogue.json"]
        assert load(path) == without_figures(CATALOGUE)

    def test_links_and_modes_stay(self, tmp_path: Path) -> None:
        """A file is one of the repository's."""
        real, link = tmp_path / "real.json", tmp_path / "link.json"
        real.write_text("")
        real.chmod(0o664)
        link.symlink_to(real)
        save(CATALOGUE, link)
        assert link.is_symlink()
        assert real.read_text() == TEXT
        assert real.stat().st_mode & 0o777 == 0o664


_EVENT = '{"format": "activitylog catalogue 1", "events": [%s]}'


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "c.json, line 1: no JSON"),
            ("{\n<<<<<<< HEAD\n}", "c.json, line 2: no JSON.*unfinished merge"),
            ("[]", "this is no catalogue: format is list"),
            ('{"format": "x"}', "this is no catalogue: format is 'x'"),
            ("[" * 100_000, "nested too deeply"),
            (_EVENT % "" + "x", "no JSON"),
            ('{"format": "activitylog catalogue 1", "events": {}}', "events: expected a list, got dict"),
            ('{"format": "activitylog catalogue 1", "events": [], "more": 1}', "there is no key 'more'"),
            (_EVENT % "3", r"events\[0\]: expected an object, got 3"),
            (_EVENT % '{"doc": "x"}', r"events\[0\]: there is no name"),
            (_EVENT % '{"name": "a.b", "onwer": "x"}', "'a.b': there is no key 'onwer'. Did you mean 'owner'"),
            (_EVENT % '{"name": "a.b", "owner": 3}', "'a.b', owner: expected a text, got 3"),
            (_EVENT % '{"name": "a.b", "version": true}', "True is no version"),
            (
                _EVENT % '{"name": "a.b", "version": 2, "actors": "user"}',
                "'a.b, version 2', actors: expected a list",
            ),
            (_EVENT % '{"name": "a.b"}, {"name": "a.b"}', "events: a.b stands there twice"),
            (_EVENT % '{"name": "a.b", "name": "c.d"}', "the key 'name' stands twice"),
            (
                _EVENT % '{"name": "a.b", "attributes": {"x": {"type": "txt"}}}',
                "'a.b', 'x': 'txt' is no type. Did you mean 'text'",
            ),
            (_EVENT % '{"name": "a.b", "attributes": {"x": {}}}', "'x': NoneType is no type"),
            (
                _EVENT % '{"name": "a.b", "attributes": {"x": {"type": "text", "required": 1}}}',
                "'x', required: expected true or false, got 1",
            ),
            (_EVENT % '{"name": "a.b", "figures": {"rows": "x"}}', "figures, rows: 'x' is no whole number"),
            (_EVENT % '{"name": "a.b", "figures": {"first": "x"}}', "figures, first: 'x' is no time"),
            (_EVENT % '{"name": "a.b", "figures": {"events": "x"}}', "figures, events: 'x' is no number"),
            (_EVENT % '{"name": "a.b", "figures": []}', "figures: expected an object, got list"),
        ],
    )
    def test_where_and_what(self, text: str, message: str) -> None:
        """The file, the place, and what to write."""
        with pytest.raises(ConfigurationError, match=message) as caught:
            loads(text, "c.json")
        assert caught.value.message.startswith("c.json")

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda path: None, "There is no catalogue .* Make it: `activitylog catalogue update"),
            (lambda path: path.mkdir(), "cannot be read: Is a directory"),
            (lambda path: path.write_bytes(b"\xff"), "cannot be read: it is no UTF-8"),
        ],
    )
    def test_files(self, tmp_path: Path, make: Any, message: str) -> None:
        """Not there, or none."""
        path = tmp_path / "catalogue.json"
        make(path)
        with pytest.raises(ConfigurationError, match=message):
            load(path)
