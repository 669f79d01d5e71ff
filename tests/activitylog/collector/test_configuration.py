"""Several files as one, and what stands in ``${...}``."""

from __future__ import annotations

from pathlib import Path

import pytest

from activitylog.collector import Setting, expansion, read, read_texts
from activitylog.collector.expansion import Expansion
from activitylog.collector.reading import read_content, read_text
from activitylog.collector.value import NotKnown, Place, Value, WrongValueError
from activitylog.exceptions import ConfigurationError


def value(text: str, **environ: str) -> Setting:
    """The setting ``exporters.x`` with this value."""
    return read_texts(("f.yaml", f"exporters:\n  x: {text}\n"), environ=environ).at("exporters", "x")


class TestMerging:
    def test_maps_merge_and_the_rest_is_replaced(self) -> None:
        """Lists, texts, and a key without a value, too."""
        top = read_texts(
            ("a.yaml", "exporters: {a: {list: [1, 2], text: one, map: {x: 1}, gone: {y: 1}, kept: 1}}\n"),
            ("b.yaml", "exporters:\n  a: {list: [3], text: two, map: {z: 2}, gone: null}\n"),
        )
        exporter = top.at("exporters", "a")
        assert [item.number(0) for item in exporter.at("list").elements()] == [3]
        assert exporter.at("text").text() == "two"
        assert [key for key, _ in exporter.at("map").items()] == ["x", "z"]
        assert exporter.at("gone").items() == []
        assert exporter.at("kept").number(0) == 1

    def test_places_are_those_of_the_file_that_wins(self) -> None:
        """A setting is where it is written; what is not written is near what is."""
        top = read_texts(
            ("a.yaml", "exporters:\n  a:\n    x: 1\n    y: 1\n"), ("b.yaml", "exporters:\n  a:\n    y: 2\n")
        )
        exporter = top.at("exporters", "a")
        assert str(exporter.at("x")) == "a.yaml:3 exporters.a.x"
        assert str(exporter.at("y")) == "b.yaml:3 exporters.a.y"
        assert str(exporter.at("z", "zz")) == "a.yaml:2 exporters.a.z.zz"

    def test_an_empty_file_changes_nothing(self) -> None:
        """As to the Collector."""
        assert read_texts(("a.yaml", "exporters: {a: 1}"), ("b.yaml", "")).at("exporters", "a").number(0) == 1

    @pytest.mark.parametrize("text", ["[1, 2]", "just a text", "", "name: chat\nversion: 3\n"])
    def test_no_configuration(self, text: str) -> None:
        """Some other YAML is told from a Collector's."""
        with pytest.raises(ConfigurationError, match=r"f\.yaml: this is no configuration of a Collector"):
            read_texts(("f.yaml", text))

    def test_files(self, tmp_path: Path) -> None:
        """Read in order; the name in messages is the one that was given."""
        (tmp_path / "a.yaml").write_text("exporters:\n  a: 1\n")
        (tmp_path / "b.yaml").write_text("exporters:\n  a: 2\n")
        setting = read([tmp_path / "a.yaml", str(tmp_path / "b.yaml")]).at("exporters", "a")
        assert (setting.number(0), str(setting.near)) == (2, f"{tmp_path}/b.yaml:2")

    def test_no_file(self) -> None:
        """Nothing to read."""
        with pytest.raises(ConfigurationError, match="no file"):
            read([])


class TestVariables:
    @pytest.mark.parametrize(
        ("text", "read_as"),
        [
            ("${env:A}", 12.0),
            ("${A}", 12.0),
            ("'${env:A}'", 12.0),
            ("${env:NOT:-13}", 13.0),
            ("${env:A:-13}", 12.0),
            ("${env:NOT:-${env:A}}", 12.0),
            ("${env:A:-${env:NOT}}", 12.0),
            ("${env:NAMES}", 12.0),
            ("${env:EMPTY}", 0.0),
        ],
    )
    def test_a_number(self, text: str, read_as: float) -> None:
        """A variable alone is read as YAML, and its text may have variables itself."""
        assert value(text, A="12", NAMES="${env:A}", EMPTY="").number(5) == read_as

    @pytest.mark.parametrize(
        ("text", "read_as"),
        [
            ("tcp://${env:HOST:-localhost}:${env:PORT}", "tcp://localhost:9000"),
            ("${env:PORT}", "9000"),
            ("${env:NOT:-}", ""),
            ("a$$b", "a$b"),
            ("$${env:NOT}", "${env:NOT}"),
            ("$$${env:PORT}", "$9000"),
            ("${env:MAP}", "{a: 1}"),
            ("'${env:ODD}'", "a: b: c"),
        ],
    )
    def test_a_text(self, text: str, read_as: str) -> None:
        """Inside of others, numbers, too; and a dollar sign is written twice."""
        assert value(text, PORT="9000", MAP="{a: 1}", ODD="a: b: c").text() == read_as

    def test_a_mapping(self) -> None:
        """A variable may hold YAML; it stands where the variable does."""
        setting = value("${env:MAP}", MAP="\n\n{a: [true]}").at("a")
        assert [str(item) for item in setting.elements()] == ["f.yaml:2 exporters.x.a[0]"]
        assert setting.elements()[0].flag(False) is True

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("${env:NOT}", "the variable NOT, which is not set here"),
            ("tcp://${NOT}:9000", "the variable NOT, which is not set here"),
            ("${env:A}${env:NOT}${env:B}", "the variable NOT, which is not set here"),
            ("${env:OTHER:-${env:NOT}}", "the variable NOT, which is not set here"),
            ("${env:P_${env:NOT}}", "the variable whose name stands at f.yaml:2"),
            ("${file:gone.yaml}", "the file gone.yaml, which is not there"),
            ("${http://example.com/x}", "what ${http:...} gives"),
        ],
    )
    def test_not_known(self, text: str, what: str) -> None:
        """Not a number, a text, a mapping; and neither is what would stand below."""
        setting = value(text, A="1", B="2")
        for ask in (setting.text, lambda: setting.number(1), setting.items, setting.at("y", "z").text):
            with pytest.raises(NotKnown) as raised:
                ask()
            assert raised.value.what == what

    def test_of_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its environment is what is known unless another one is given."""
        monkeypatch.setenv("COLLECTOR_PORT", "4317")
        top = read_texts(("f.yaml", "exporters: {x: '${env:COLLECTOR_PORT}'}"))
        assert top.at("exporters", "x").number(0) == 4317

    @pytest.mark.parametrize("text", ["${}", "${env:}", "${env:1A}", "${s3cret word}", "p${s3cret!}d"])
    def test_what_the_collector_refuses(self, text: str) -> None:
        """Most often a password with a dollar sign: it says how to write one, and not what stands there."""
        with pytest.raises(ConfigurationError) as raised:
            value(f"'{text}'")
        assert "f.yaml:2" in raised.value.message
        assert "$$" in str(raised.value.hint)
        assert "s3cret" not in str(raised.value)

    @pytest.mark.parametrize(
        "environ", [{"A": "${env:A}"}, {"A": "${env:B}x", "B": "${env:A}y"}, {"A": "${A}${A}"}, {"A": "[${A}, 1]"}]
    )
    def test_without_an_end(self, environ: dict[str, str]) -> None:
        """A variable that names itself."""
        with pytest.raises(ConfigurationError, match="does not come to an end"):
            value("${env:A}", **environ)


class TestAmountOfWork:
    def test_what_is_done_is_not_looked_at_again(self) -> None:
        """Each round goes on where the last one was."""
        text = "} " * 10_000 + "".join(f"${{B{number}}}" for number in range(100))
        environ = {f"B{number}": "y" for number in range(100)}
        expanded = Expansion(environ, Path(), characters=110_000).expand(Value(text, Place("f", 1)))
        assert expanded.data == "} " * 10_000 + "y" * 100

    def test_has_a_bound(self) -> None:
        """One for all values together."""
        expansion, text = Expansion({"A": "x"}, Path(), characters=60), Value("a ${A} and more", Place("f", 1))
        assert expansion.expand(text).data == "a x and more"
        assert expansion.expand(text).data == "a x and more"
        with pytest.raises(ConfigurationError, match="does not come to an end"):
            expansion.expand(text)

    def test_only_what_stands_alone_is_read_as_yaml(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once for the outermost of many defaults, not for each."""
        texts: list[str] = []

        def counting(text: str, shown: str, place: Place | None = None) -> Value:
            texts.append(text)
            return read_text(text, shown, place)

        monkeypatch.setattr(expansion, "read_text", counting)
        text = "${env:NOT:-" * 50 + "12" + "}" * 50
        assert Expansion({}, Path()).expand(Value(text, Place("f", 1))).data == 12
        assert texts == ["12"]

    def test_an_escaped_one_before_it_is_replaced_too(self) -> None:
        """As by the Collector."""
        assert value("'$${env:A} ${env:A}'", A="x").text() == "$x x"


class TestIncludedFiles:
    def test_a_file(self, tmp_path: Path) -> None:
        """Read as YAML, with its own lines, relative to the working directory."""
        (tmp_path / "more.yaml").write_text("# a queue\nstorage: ${env:ID}\n")
        top = read_texts(("f.yaml", "exporters: {x: '${file:more.yaml}'}"), environ={"ID": "a/b"}, folder=tmp_path)
        setting = top.at("exporters", "x", "storage")
        assert (setting.text(), str(setting.near)) == ("a/b", "more.yaml:2")

    def test_inside_a_text(self, tmp_path: Path) -> None:
        """Its content, whether that is YAML or not."""
        (tmp_path / "one").write_text("12\n")
        (tmp_path / "two").write_text("@a: b: c")
        text = "exporters: {x: 'a ${file:one} ${file:two}', y: '${file:two}'}"
        top = read_texts(("f.yaml", text), environ={}, folder=tmp_path)
        assert top.at("exporters", "x").text() == "a 12\n @a: b: c"
        assert top.at("exporters", "y").text() == "@a: b: c"

    def test_is_read_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However often it is named."""
        read_paths: list[Path] = []

        def counting(path: Path, shown: str) -> str:
            read_paths.append(path)
            return read_content(path, shown)

        monkeypatch.setattr(expansion, "read_content", counting)
        (tmp_path / "one").write_text("12")
        text = "exporters: {x: '${file:one}', y: 'a ${file:one}', z: '${file:one}'}"
        read_texts(("f.yaml", text), environ={}, folder=tmp_path)
        assert read_paths == [tmp_path / "one"]

    def test_values_of_all_files_together(self, tmp_path: Path) -> None:
        """A file that is named often is as large as all of its copies."""
        (tmp_path / "one").write_text("[1, 2, 3]")
        value = read_text("[" + "'${file:one}', " * 5 + "]", "f")
        assert Expansion({}, tmp_path, values=26).expand(value)
        with pytest.raises(ConfigurationError, match="named too often"):
            Expansion({}, tmp_path, values=25).expand(value)

    def test_that_names_itself(self, tmp_path: Path) -> None:
        """Ends with an error."""
        (tmp_path / "more.yaml").write_text("a: ${file:more.yaml}\n")
        with pytest.raises(ConfigurationError, match="does not come to an end"):
            read_texts(("f.yaml", "exporters: {x: '${file:more.yaml}'}"), environ={}, folder=tmp_path)


class TestReadingSettings:
    def test_defaults(self) -> None:
        """What is not written has its default; a key without a value has none, as with the Collector."""
        setting = value("{a: }")
        absent, empty = setting.at("b"), setting.at("a")
        assert (absent.flag(True), absent.number(5), absent.text("t"), absent.seconds(2.5)) == (True, 5, "t", 2.5)
        assert (empty.flag(True), empty.number(5), empty.text("t"), empty.seconds(2.5)) == (False, 0, "", 0)
        assert (absent.is_set, empty.is_set) == (False, True)

    @pytest.mark.parametrize(
        ("text", "method", "message"),
        [
            ("'true'", "flag", "f.yaml:2 exporters.x: expected true or false, got a text."),
            ("yes", "flag", "f.yaml:2 exporters.x: expected true or false, got a text."),
            ("[1]", "number", "f.yaml:2 exporters.x: expected a number, got a list."),
            ("true", "number", "f.yaml:2 exporters.x: expected a number, got true or false."),
            ("5", "text", "f.yaml:2 exporters.x: expected a text, got a number."),
            ("s3cret", "seconds", "f.yaml:2 exporters.x: expected a duration such as 30s, got a text."),
            ("s3cret", "items", "f.yaml:2 exporters.x: expected a mapping, got a text."),
            ("{a: 1}", "elements", "f.yaml:2 exporters.x: expected a list, got a mapping."),
        ],
    )
    def test_of_another_kind(self, text: str, method: str, message: str) -> None:
        """The Collector refuses it, too; the value is not in the message."""
        setting = value(text)
        arguments = {"flag": (True,), "number": (1,), "seconds": (1,)}.get(method, ())
        with pytest.raises(WrongValueError) as raised:
            getattr(setting, method)(*arguments)
        assert raised.value.message == message

    def test_a_number_is_nanoseconds(self) -> None:
        """`timeout: 5` is five nanoseconds to the Collector."""
        assert value("5").seconds(1) == 5e-9
