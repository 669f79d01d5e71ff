"""Destinations as URLs."""

from __future__ import annotations

import contextlib
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError
from activitylog.url import parse

SECRET = "s3cr@t/:%é"
QUOTED = "s3cr%40t%2F%3A%25%C3%A9"


class TestParse:
    def test_embedded(self) -> None:
        """A folder, or memory."""
        assert parse("chdb:///var/lib/activity/").path == "/var/lib/activity"
        assert parse("chdb:///with%20space").path == "/with space"
        assert parse("chdb://memory").path == "memory"

    @pytest.mark.parametrize(
        ("text", "kind", "secure", "port"),
        [
            ("clickhouse://db.example/activity", "clickhouse", False, 8123),
            ("clickhouses://db.example/activity", "clickhouse", True, 8443),
            ("clickhouse://db.example:9123/activity", "clickhouse", False, 9123),
            ("otlp://collector.example", "otlp", False, 4317),
            ("otlps://collector.example", "otlp", True, 4317),
            ("otlp+http://collector.example", "otlp+http", False, 4318),
            ("otlp+https://collector.example/custom", "otlp+http", True, 4318),
        ],
    )
    def test_servers(self, text: str, kind: str, secure: bool, port: int) -> None:
        """The scheme says what listens there, whether by TLS, and at which port by default."""
        url = parse(text)
        assert (url.kind, url.secure, url.port) == (kind, secure, port)
        assert url.host.endswith(".example")

    def test_console_and_memory(self) -> None:
        """The two that need nothing."""
        assert parse("console:").kind == "console"
        assert parse("memory:").kind == "memory"

    def test_user_password_path_and_options_are_decoded(self) -> None:
        """Percent signs are for the URL, not for the server."""
        url = parse(f"clickhouse://al%20ice:{QUOTED}@[::1]:8123/my%20db?verify=false")
        assert (url.username, url.password, url.host) == ("al ice", SECRET, "::1")
        assert url.path == "/my db"
        assert url.options == {"verify": "false"}

    def test_reveal_gives_a_url_that_means_the_same(self) -> None:
        """What the driver is given parses to what was parsed."""
        url = parse(f"clickhouse://alice:{QUOTED}@db:8123/activity?verify=false")
        assert parse(url.reveal()) == url


class TestSecrets:
    def test_are_not_printed(self) -> None:
        """Neither str nor repr shows the password."""
        url = parse(f"clickhouse://alice:{QUOTED}@db/activity")
        assert str(url) == "clickhouse://alice:***@db:8123/activity"
        assert "s3cr" not in repr(url)

    @pytest.mark.parametrize(
        "text",
        [
            "clickhose://alice:topsecret@db:8123/activity",
            "clickhouse://alice:topsecret@:8123/activity",
            "clickhouse://alice:topsecret@db:port/activity",
            "clickhouse://alice:top@secret@[db/activity",
            "alice:topsecret@db",
            "http://alice:topsecret@db",
            "clickhouse://alice:topsecret",
        ],
    )
    def test_are_in_no_error_or_traceback(self, text: str) -> None:
        """A URL that is wrong is reported without its password."""
        with pytest.raises(ConfigurationError) as caught:
            parse(text)
        printed = "".join(traceback.format_exception(caught.value))
        assert "topsecret" not in str(caught.value)
        assert "topsecret" not in printed.replace(repr(text), "")
        assert "secret@" not in str(caught.value)


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("chdb://relative/dir", "three slashes"),
            ("chdb:relative", "three slashes"),
            ("chdb:///", "three slashes"),
            ("chdb:///dir?x=1", "Leave out"),
            ("clickhose://db", "Did you mean clickhouse:?"),
            ("http://db:8123", "clickhouse://"),
            ("https://collector", "otlp+https://"),
            ("clickhouse://", "Accepted"),
            ("nonsense", "Accepted"),
            ("", "Accepted"),
        ],
    )
    def test_say_what_to_write(self, text: str, hint: str) -> None:
        """Each error ends with the next step."""
        with pytest.raises(ConfigurationError) as caught:
            parse(text)
        assert hint in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_configuration_error(text: str) -> None:
    """No text makes the parser fail in any other way."""
    with contextlib.suppress(ConfigurationError):
        assert parse(text).kind


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
)
def test_any_user_and_password_survive(username: str, password: str) -> None:
    """Percent encoding carries every character to the server and back."""
    from urllib.parse import quote

    url = parse(f"clickhouse://{quote(username, safe='')}:{quote(password, safe='')}@db/activity")
    assert (url.username, url.password) == (username, password)
    assert parse(url.reveal()) == url
