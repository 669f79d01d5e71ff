"""YAML into values with places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activitylog.collector import reading
from activitylog.collector.merging import merge_into
from activitylog.collector.reading import MAX_FILE_BYTES, plain, read_file, read_text
from activitylog.collector.value import Place, Value
from activitylog.exceptions import ConfigurationError


def data(value: Value) -> Any:
    """Plain data, without places."""
    if isinstance(value.data, dict):
        return {key: data(below) for key, below in value.data.items()}
    return [data(below) for below in value.data] if isinstance(value.data, tuple) else value.data


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("true", True),
            ("False", False),
            ("yes", "yes"),
            ("off", "off"),
            ("", None),
            ("~", None),
            ("12", 12),
            ("1_000", 1000),
            ("0x10", 16),
            ("0o17", 15),
            ("0750", 488),
            ("089", "089"),
            ("1.5", 1.5),
            ("1e3", 1000.0),
            ("12:30:45", "12:30:45"),
            ("2026-01-01", "2026-01-01"),
            ("1.2.3.4:4317", "1.2.3.4:4317"),
            ("<<", "<<"),
        ],
    )
    def test_as_the_collector_reads_it(self, text: str, value: Any) -> None:
        """YAML 1.2 with octal numbers: neither words for true nor numbers of base sixty."""
        assert plain(text) == value
        assert type(plain(text)) is type(value)

    def test_quoted_is_a_text(self) -> None:
        """Whatever it looks like."""
        assert data(read_text("a: 'true'\nb: \"12\"\nc: |\n  12\n", "f")) == {"a": "true", "b": "12", "c": "12\n"}


class TestMappings:
    def test_places(self) -> None:
        """That of a key, and of an item of a list; lines count from 1."""
        value = read_text("a:\n  b:\n    1\n  c: [x,\n    y]\n", "f.yaml")
        assert isinstance(value.data, dict)
        inner = value.data["a"].data
        assert isinstance(inner, dict)
        listed = inner["c"].data
        assert isinstance(listed, tuple)
        assert [inner["b"].place, inner["c"].place, *(item.place for item in listed)] == [
            Place("f.yaml", 2),
            Place("f.yaml", 4),
            Place("f.yaml", 4),
            Place("f.yaml", 5),
        ]

    def test_nested_keys(self) -> None:
        """`a::b` is short for a mapping in a mapping, and merges with what is there."""
        assert data(read_text("a: {c: 2}\na::b: 1\nx::y::z: 3\n", "f")) == {
            "a": {"c": 2, "b": 1},
            "x": {"y": {"z": 3}},
        }

    def test_merge_keys(self) -> None:
        """What is written stands over what is merged, and the first one of several over the others."""
        text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nboth:\n  <<: [*one, *two]\n  a: 0\n"
        assert data(read_text(text, "f"))["both"] == {"a": 0, "b": 1, "c": 2}

    def test_keys_are_texts(self) -> None:
        """A number as a key is a text."""
        assert data(read_text("1: a\ntrue: b\n", "f")) == {"1": "a", "true": "b"}

    def test_the_first_document(self) -> None:
        """The Collector leaves out the others."""
        assert data(read_text("a: 1\n---\nb: [\n", "f")) == {"a": 1}

    def test_many_keys_are_written_in_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not into a copy of all those before, for each one."""
        written = 0

        def counting(target: dict[str, Value], second: dict[str, Value]) -> None:
            nonlocal written
            before = id(target)
            merge_into(target, second)
            written += len(second)
            assert id(target) == before

        monkeypatch.setattr(reading, "merge_into", counting)
        keys = {f"k{number}": number for number in range(300)}
        text = "\n".join(f"a::{key}: {number}" for key, number in keys.items())
        assert data(read_text(text, "f")) == {"a": keys}
        assert written == 300

    def test_merging_in_place_keeps_the_mapping(self) -> None:
        """A mapping that is there takes what is new."""
        inner: dict[str, Value] = {}
        place = Place("f", 1)
        target = {"a": Value(inner, place)}
        merge_into(target, {"a": Value({"b": Value(1, place)}, place)})
        assert target["a"].data is inner
        assert inner["b"].data == 1

    def test_an_empty_text(self) -> None:
        """Nothing, and no error."""
        assert read_text("# only a comment\n", "f").data is None


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: 1\nb: {\n", "f:3 is no YAML"),
            ("a: 1\na: 2\n", "f:2 has the key a again."),
            ("? [a]\n: 1\n", "f:1 has a key that is a sequence."),
            ("a:\n  <<: 5\n", "f:2 has a << that names no mapping."),
            ("a: \x07\n", "f is no YAML: it has a character that may not be there."),
            ("a: " + "[" * 2000, "f is nested too deeply."),
            ("a: &a [*a]\n", "f is nested too deeply."),
            ("a: " + "[" * 110 + "]" * 110, "f is nested too deeply."),
        ],
    )
    def test_says_where(self, text: str, message: str) -> None:
        """The file, and the line where there is one."""
        with pytest.raises(ConfigurationError) as raised:
            read_text(text, "f")
        assert raised.value.message.startswith(message)
        assert raised.value.hint

    @pytest.mark.parametrize(
        "text",
        [
            "password: *s3cret\n",
            "password: &s3cret 1\nother: &s3cret 2\nx: [\n",
            'password: "s3cret\\qs3cret"\n',
            "password: {s3cret: s3cret: s3cret}\n",
            "password: @s3cret\n",
            "password: !s3cret:/ x\n",
            "password: %s3cret\n- s3cret\n",
            "password: *s3'c\"ret\n",
        ],
    )
    def test_never_what_stands_there(self, text: str) -> None:
        """A password that is not quoted is the most common reason."""
        try:
            read_text(text, "f")
        except ConfigurationError as error:
            said = str(error)
        else:
            said = ""
        assert "s3" not in said

    def test_aliases_that_multiply(self) -> None:
        """A few lines that would be billions of values end early."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        with pytest.raises(ConfigurationError, match="more than 50,000 values"):
            read_text("\n".join(lines), "f")


class TestFiles:
    def test_a_file(self, tmp_path: Path) -> None:
        """A byte order mark is no part of the first key."""
        (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
        assert data(read_file(tmp_path / "a.yaml", "a.yaml")) == {"a": 1}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "x.yaml cannot be read: No such file or directory."),
            (b"a: \xff\n", "x.yaml is not UTF-8."),
            (b"#" * (MAX_FILE_BYTES + 1), "x.yaml has more than 1,048,576 bytes."),
        ],
    )
    def test_that_cannot_be_read(self, tmp_path: Path, content: bytes | None, message: str) -> None:
        """With what is the matter."""
        if content is not None:
            (tmp_path / "x.yaml").write_bytes(content)
        with pytest.raises(ConfigurationError) as raised:
            read_file(tmp_path / "x.yaml", "x.yaml")
        assert raised.value.message == message

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is none")
    def test_what_has_no_end(self) -> None:
        """No more is read than a file may have."""
        with pytest.raises(ConfigurationError, match="more than 1,048,576 bytes"):
            read_file(Path("/dev/zero"), "x")

    def test_a_folder(self, tmp_path: Path) -> None:
        """Is no file."""
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_file(tmp_path, "x")
