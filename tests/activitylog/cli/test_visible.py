"""What a command may show."""

from __future__ import annotations

import pytest

from activitylog.cli.visible import without_secrets


class TestWithoutSecrets:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("at clickhouse://u:pw@host:1/db", "at clickhouse://u:***@host:1/db"),
            ("http://u:p@ss:word@host", "http://u:***@host"),
            ("otlp+http://u:pw@h and http://:x@h", "otlp+http://u:***@h and http://:***@h"),
            ("http://host:8123/db", "http://host:8123/db"),
        ],
    )
    def test_password_in_a_url_is_hidden(self, text: str, shown: str) -> None:
        """The password of any URL in a text is replaced."""
        assert without_secrets(text) == shown
