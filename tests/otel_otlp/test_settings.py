"""Arguments and the variables of the specification: what they mean, and what is refused at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_otlp import ConfigurationError, OTLPGRPCLogExporter, OTLPHTTPLogExporter
from otel_otlp import environment_variables as env
from otel_otlp.endpoint import grpc_endpoint, http_endpoint
from otel_otlp.headers import resolve_headers
from otel_otlp.retry_after import retry_after_seconds
from otel_otlp.secrets import Secrets
from otel_otlp.tls_files import TLSFiles, resolve_tls_files

PREFIX = "OTEL_EXPORTER_OTLP_"


@pytest.fixture
def setenv(monkeypatch):
    """Set variables by what is behind the prefix."""
    return lambda **values: [monkeypatch.setenv(PREFIX + name, value) for name, value in values.items()]


class TestHTTPEndpoint:
    @pytest.mark.parametrize(
        ("values", "target"),
        [
            ({}, "http://localhost:4318/v1/logs"),
            ({"ENDPOINT": ""}, "http://localhost:4318/v1/logs"),
            ({"ENDPOINT": "http://c:4318"}, "http://c:4318/v1/logs"),
            ({"ENDPOINT": "https://c/base/"}, "https://c/base/v1/logs"),
            ({"ENDPOINT": "https://c/base?key=7"}, "https://c/base/v1/logs?key=7"),
            ({"LOGS_ENDPOINT": "http://c:4318"}, "http://c:4318/"),
            ({"LOGS_ENDPOINT": "http://c/own/", "ENDPOINT": "http://other"}, "http://c/own/"),
        ],
    )
    def test_variables(self, setenv, values, target):
        """The general one is a base, the one for logs is used as it is."""
        setenv(**values)
        assert http_endpoint(None).target == target

    def test_the_argument_goes_first(self, setenv):
        """As it is."""
        setenv(LOGS_ENDPOINT="http://c:4318")
        assert http_endpoint("https://[::1]:1/x").target == "https://[::1]:1/x"

    def test_user_and_password(self):
        """They become a header; what is shown has neither, nor the query."""
        endpoint = http_endpoint("https://me:p%40ss@c/v1/logs?key=t0psecret")
        assert endpoint.authorization == "Basic bWU6cEBzcw=="
        assert (endpoint.target, endpoint.shown) == ("https://c/v1/logs?key=t0psecret", "https://c/v1/logs")
        assert "t0psecret" not in repr(endpoint) + str(endpoint)
        assert "bWU6" not in repr(endpoint)

    @pytest.mark.parametrize(
        "text",
        ["c:4318", "ftp://c", "http://", "http://c:x-t0psecret", "http://c/#t0psecret", "http://c /t0psecret",
         "http://c/t0psecret\n", "http://[t0psecret"],
    )  # fmt: skip
    def test_refused(self, text):
        """In the constructor, without repeating what may be a secret."""
        with pytest.raises(ConfigurationError, match="Accepted: ") as caught:
            OTLPHTTPLogExporter(text + " " if text.endswith("\n") else text)
        assert "t0psecret" not in str(caught.value)


class TestGRPCEndpoint:
    @pytest.mark.parametrize(
        ("values", "given", "insecure", "target", "secure"),
        [
            ({}, None, None, "localhost:4317", False),
            ({"ENDPOINT": "https://c:4317"}, None, None, "c:4317", True),
            ({"ENDPOINT": "https://c:4317", "INSECURE": "true"}, None, None, "c:4317", True),
            ({"ENDPOINT": "http://c:4317/", "INSECURE": "false"}, None, None, "c:4317", False),
            ({"LOGS_ENDPOINT": "c:4317"}, None, None, "c:4317", True),
            ({"INSECURE": "TRUE"}, "c:4317", None, "c:4317", False),
            ({"LOGS_INSECURE": "true", "INSECURE": "false"}, "c:4317", None, "c:4317", False),
            ({"INSECURE": "true"}, "c:4317", False, "c:4317", True),
            ({}, "http://[::1]:1", None, "[::1]:1", False),
            ({}, "unix:///run/c.sock", True, "unix:///run/c.sock", False),
        ],
    )
    def test_scheme_and_insecure(self, setenv, values, given, insecure, target, secure):
        """The scheme decides; without one, the argument, then the variable; without that, TLS."""
        setenv(**values)
        endpoint = grpc_endpoint(given, insecure)
        assert (endpoint.target, endpoint.secure) == (target, secure)

    @pytest.mark.parametrize("text", ["http://me:t0psecret@c:1", "http://c:1/t0psecret", "http://c?x=t0psecret"])
    def test_refused(self, text):
        """What gRPC has no place for."""
        with pytest.raises(ConfigurationError) as caught:
            OTLPGRPCLogExporter(text)
        assert "t0psecret" not in str(caught.value)


class TestHeaders:
    @pytest.mark.parametrize(
        ("values", "given", "headers"),
        [
            ({}, None, {}),
            ({"HEADERS": "key=t0p%20secret,X-Tenant = acme ,"}, None, {"key": "t0p secret", "x-tenant": "acme"}),
            ({"HEADERS": "authorization=Basic dTpw=="}, None, {"authorization": "Basic dTpw=="}),
            ({"HEADERS": "a=1,b=2", "LOGS_HEADERS": "a=3"}, {"C": " 4 "}, {"a": "3", "c": "4"}),
            ({"HEADERS": "a=1"}, {"A": "2"}, {"a": "2"}),
        ],
    )  # fmt: skip
    def test_merged(self, setenv, values, given, headers):
        """Percent-decoded; those for logs instead of the general ones; the argument over them."""
        setenv(**values)
        assert resolve_headers(given) == headers

    @pytest.mark.parametrize(
        "text", ["t0psecret", "a=1,t0psecret", "a b=t0psecret", "a=t0psecret%0d%0ax: 1", "a=t0psecret%C3%A9",
                 "content-type=t0psecret", "Host=t0psecret"],
    )  # fmt: skip
    def test_refused(self, setenv, text):
        """What cannot be sent is named by its place or name, never by its value."""
        setenv(HEADERS=text)
        with pytest.raises(ConfigurationError) as caught:
            OTLPHTTPLogExporter()
        assert "t0psecret" not in str(caught.value)

    @given(st.text(max_size=30))
    def test_any_text(self, text):
        """It is headers that can be sent, or a configuration error."""
        try:
            headers = resolve_headers({"x-any": text})
        except ConfigurationError:
            return
        assert headers["x-any"].isascii()
        assert not {"\r", "\n", "\0"} & set(headers["x-any"])


class TestNumbersAndChoices:
    @pytest.mark.parametrize(
        ("values", "given", "seconds"),
        [({}, None, 10.0), ({"TIMEOUT": "3"}, None, 3.0), ({"TIMEOUT": "10000"}, None, 10.0),
         ({"TIMEOUT": "1000"}, None, 1.0), ({"TIMEOUT": "999"}, None, 999.0), ({"TIMEOUT": "0.5"}, None, 0.5),
         ({"TIMEOUT": "3", "LOGS_TIMEOUT": "4"}, None, 4.0), ({"TIMEOUT": "3"}, 5000, 5000.0)],
    )  # fmt: skip
    def test_timeout(self, setenv, values, given, seconds):
        """Seconds as in Python's SDK, milliseconds as in the specification where it can be nothing else."""
        setenv(**values)
        assert env.timeout_seconds(given) == seconds

    @pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "ten", "True"])
    def test_no_timeout(self, setenv, text):
        """Loud, at once."""
        setenv(TIMEOUT=text)
        with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_TIMEOUT"):
            OTLPGRPCLogExporter()

    @pytest.mark.parametrize(
        ("values", "given", "compress"),
        [({}, None, False), ({"COMPRESSION": "gzip"}, None, True), ({"COMPRESSION": "gzip"}, "none", False),
         ({"COMPRESSION": "gzip", "LOGS_COMPRESSION": "none"}, None, False),
         ({"COMPRESSION": "GZIP"}, None, True)],
    )  # fmt: skip
    def test_compression(self, setenv, values, given, compress):
        """none or gzip."""
        setenv(**values)
        assert env.gzip(given) is compress

    def test_what_is_unknown(self, setenv):
        """Is not ignored."""
        setenv(COMPRESSION="zstd", INSECURE="maybe")
        with pytest.raises(ConfigurationError, match="zstd"):
            OTLPHTTPLogExporter()
        with pytest.raises(ConfigurationError, match="maybe"):
            OTLPGRPCLogExporter("c:1")

    def test_tls_files(self, setenv):
        """Each by its own variable; a key needs its certificate."""
        setenv(CERTIFICATE="/ca", LOGS_CLIENT_CERTIFICATE="/crt", CLIENT_KEY="/key")
        assert resolve_tls_files(None, None, None) == TLSFiles("/ca", "/crt", "/key")
        assert resolve_tls_files("/own", None, None).certificate == "/own"
        setenv(LOGS_CLIENT_CERTIFICATE="")
        with pytest.raises(ConfigurationError, match="without its certificate"):
            OTLPHTTPLogExporter()


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "date", "seconds"),
        [
            (None, None, None), ("", None, None), ("soon", None, None), ("-5", None, None), ("1.5", None, None),
            ("0", None, 0.0), (" 120 ", None, 120.0), ("9" * 5000, None, 600.0), ("٣", None, None),
            ("Wed, 21 Oct 2015 07:28:10 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 10.0),
            ("Wed, 21 Oct 2015 07:27:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
            ("Wed, 21 Oct 2099 07:28:00 GMT", None, 600.0),
            ("Wed, 21 Oct 2015 07:28:00 GMT", None, 0.0),
            ("Wed, 99 Oct 2015 07:28:00 GMT", None, None),
        ],
    )  # fmt: skip
    def test_forms(self, value, date, seconds):
        """Seconds or a date, from 0 to ten minutes; anything else is no wish."""
        assert retry_after_seconds(value, date) == seconds

    @given(st.text(max_size=60), st.text(max_size=60))
    def test_any_text(self, value, date):
        """Never an exception, never out of bounds."""
        assert 0 <= (retry_after_seconds(value, date) or 0) <= 600


class TestSecrets:
    def test_each_form_is_hidden(self):
        """The whole value, its words, and what Basic holds; the longest first, so that no piece remains."""
        secrets = Secrets(["Basic bWU6dDBwc2VjcmV0", "Bearer abcd1234", "t0p", "abcd"])
        text = "bWU6dDBwc2VjcmV0 me:t0psecret t0psecret Bearer abcd1234 abcd1234 t0p"
        assert secrets.line(text) == "*** *** *** *** *** t0p"
        assert repr(secrets) == "Secrets()"

    def test_a_cut_leaves_no_half_of_one(self):
        """A line that is too long ends before a secret, or behind it."""
        assert Secrets(["t0psecret"]).line(f"{'x' * 495}t0psecret") == f"{'x' * 495}***"

    @given(st.text(min_size=4, max_size=20).filter(str.strip), st.text(max_size=600), st.text(max_size=20))
    def test_no_half_of_one_remains(self, secret, before, after):
        """Whatever stands around it, and however long the line is: it is printable and without the secret."""
        line = Secrets([secret]).line(f"{before}{secret}{after}")
        assert line.isprintable()
        assert secret not in line or set(secret) <= set("*.")
