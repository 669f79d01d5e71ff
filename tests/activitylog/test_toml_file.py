"""Files of settings and of rules, as TOML."""

from __future__ import annotations

from pathlib import Path

from activitylog.toml_file import lines_of_tables, parse_toml


class TestLines:
    def test_headers_as_people_write_them(self) -> None:
        """With blanks and comments; with the whole path in a pyproject.toml."""
        file = parse_toml("# [[rules]]\n[[rules]]\r\n a = 1\n\n  [[ rules ]]  # x\n[[other]]\n", Path("r.toml"))
        assert file is not None
        assert lines_of_tables(file, "rules") == [2, 5]
        file = parse_toml("[[tool . activitylog.rules]]\n[[rules]]\n", Path("pyproject.toml"))
        assert file is not None
        assert lines_of_tables(file, "rules") == [1]

    def test_a_pyproject_of_something_else(self) -> None:
        """Is no file of settings."""
        assert parse_toml("[tool.ruff]\n", Path("pyproject.toml")) is None
