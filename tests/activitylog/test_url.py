"""Destinations as URLs."""

from __future__ import annotations

import contextlib
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.destinations import exporter_builder
from activitylog.exceptions import ConfigurationError
from activitylog.settings import Settings
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
            "clickhouse:alice:topsecret",
            "clickhouse://alice:12/topsecret@db:8123/activity",
            "clickhouse://alice:12#topsecret@db",
            "clickhouse://alice:12?topsecret@db",
            "clickhouse://alice:12?x=topsecret@db",
            "clickhouse://db/activity?topsecret",
            "chdb://default:topsecret@localhost/db",
            "chdb:///srv?password=topsecret",
            "http://h/?password=topsecret",
            "topsecret:x@db",
            "topsecret",
            "memory:topsecret",
            "console://u:topsecret@h",
            "otlp://u:topsecret@h",
            "otlp://h/topsecret",
            "otlp+http://h/?token=topsecret",
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
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None

    def test_in_options_are_not_printed(self) -> None:
        """Only options known to be harmless show their values; the driver gets all of them."""
        url = parse("clickhouse://h/db?password=s3cret&verify=false&client_cert_key=s3cret")
        assert str(url) == "clickhouse://h:8123/db?password=***&verify=false&client_cert_key=***"
        assert "s3cret" not in repr(url)
        assert parse(url.reveal()).options["password"] == "s3cret"

    @pytest.mark.parametrize(
        "text",
        [
            "clickhouse://u:12/s3cret@host:8123/db",
            "clickhouse://u:12#s3cret@h",
            "clickhouse://u:12?s3cret@h",
            "clickhouse://u:s3/cret@h",
            "clickhouse://h/db#",
        ],
    )
    def test_that_are_not_encoded_are_refused_with_the_encoding(self, text: str) -> None:
        """A password that ends the host early must not become another server or a printed path."""
        with pytest.raises(ConfigurationError, match=r"'clickhouse://\.\.\.'.*%40.*%23.*%2F.*%3A"):
            parse(text)


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
            ("memory:foo", "Write 'memory:'"),
            ("console://u:p@h", "Write 'console:'"),
            ("memory:?x=1", "Write 'memory:'"),
            ("otlp://u@h", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("otlp://:p@h", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("otlps://h/path", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("otlp://h?x=1", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("otlp+http://u:p@h/path", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("otlp+https://h/path?x=1", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("clickhouse://h/db?verify", "name=value"),
        ],
    )
    def test_say_what_to_write(self, text: str, hint: str) -> None:
        """Each error ends with the next step."""
        with pytest.raises(ConfigurationError) as caught:
            parse(text)
        assert hint in str(caught.value)

    def test_a_text_is_expected(self) -> None:
        """What is no text is refused by its type."""
        with pytest.raises(ConfigurationError, match="got int"):
            parse(5)  # type: ignore[arg-type]


class TestEndpoints:
    """What the OTLP exporters are given."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("otlp://[::1]:4317", "OTLPGRPCLogExporter('http://[::1]:4317')"),
            ("otlp://collector/", "OTLPGRPCLogExporter('http://collector:4317')"),
            ("otlps://collector", "OTLPGRPCLogExporter('https://collector:4317')"),
            ("otlp+http://[::1]", "OTLPHTTPLogExporter('http://[::1]:4318/v1/logs')"),
            ("otlp+https://collector/own%20path", "OTLPHTTPLogExporter('https://collector:4318/own%20path')"),
        ],
    )
    def test_endpoints(self, text: str, shown: str) -> None:
        """Read as the other side reads it: brackets and percent signs stay, TLS is as the scheme says."""
        exporter = exporter_builder(parse(text), Settings())()
        try:
            assert repr(exporter) == shown
        finally:
            exporter.shutdown()  # type: ignore[no-untyped-call]


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
