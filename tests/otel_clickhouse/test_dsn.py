"""DSNs: what they mean, what is refused, and what nobody gets to read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_clickhouse.dsn import parse_dsn
from otel_clickhouse.exceptions import ConfigurationError


class TestServers:
    @pytest.mark.parametrize(
        ("text", "host", "port", "secure", "database"),
        [
            ("clickhouse://host", "host", 8123, False, ""),
            ("clickhouse://host:9000/db", "host", 9000, False, "db"),
            ("clickhouses://host", "host", 8443, True, ""),
            ("http://localhost:8123/default", "localhost", 8123, False, "default"),
            ("https://host/db/", "host", 8443, True, "db"),
            ("clickhouse://[::1]:8123/my%20db", "::1", 8123, False, "my db"),
            (" clickhouse://HOST ", "host", 8123, False, ""),
        ],
    )
    def test_parts(self, text, host, port, secure, database):
        """Scheme, host, port and database are where a URL has them."""
        dsn = parse_dsn(text)
        assert (dsn.embedded, dsn.host, dsn.port, dsn.secure, dsn.database) == (
            False,
            host,
            port,
            secure,
            database,
        )

    def test_user_and_password_are_decoded(self):
        """They may hold any character, percent-encoded."""
        dsn = parse_dsn("clickhouse://me%40work:p%2Fw%3A%40@host")
        assert (dsn.username, dsn.password) == ("me@work", "p/w:@")

    def test_options(self):
        """They go to the driver."""
        assert parse_dsn("clickhouses://host/db?verify=false&ca_cert=/ca.pem").options == {
            "verify": "false",
            "ca_cert": "/ca.pem",
        }


class TestEmbedded:
    @pytest.mark.parametrize(
        ("text", "path", "database"),
        [
            ("chdb://memory", "", ""),
            ("chdb://memory/logs", "", "logs"),
            ("chdb:///var/lib/logs", "/var/lib/logs", ""),
            ("chdb:///var/my%20logs?database=d", "/var/my logs", "d"),
        ],
    )
    def test_folder_and_database(self, text, path, database):
        """A folder has three slashes; memory has none."""
        dsn = parse_dsn(text)
        assert (dsn.embedded, dsn.path, dsn.database, str(dsn)) == (True, path, database, text)


_ACCEPTED = (
    "Accepted: clickhouse://user:password@host:8123/database, clickhouses:// (TLS, port 8443), http://, https://, "
    "chdb:///abs/dir, chdb://memory."
)
_NO_URL = "is not a URL; a password must be percent-encoded."


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("localhost:8123", "The DSN 'localhost:8123' has an unknown scheme."),
            ("host", "The DSN 'host' has no scheme."),
            ("postgres://u:s3cr3t@host", "The DSN 'postgres://***@host' has an unknown scheme."),
            ("postgres://u:p@s3cr3t@host", "The DSN 'postgres://***@host' has an unknown scheme."),
            ("tcp://h:9000?user=u&password=s3cr3t", "The DSN 'tcp://h:9000' has an unknown scheme."),
            ("tcp://h?password=a@s3cr3t", "The DSN 'tcp://***' has an unknown scheme."),
            ("u:s3cr3t@host:9000", "The DSN '***@host:9000' has an unknown scheme."),
            ("clickhouse://", "The DSN 'clickhouse://' names no host."),
            ("clickhouse:///db?password=s3cr3t", "The DSN 'clickhouse:///db' names no host."),
            ("http://h/a/b?password=s3cr3t", "The DSN 'http://h/a/b' has more than a database after the host."),
            ("clickhouse://h/a#s3cr3t", "The DSN 'clickhouse://h/a' has more than a database after the host."),
            ("clickhouse://host:http", f"The DSN 'clickhouse://host:http' {_NO_URL}"),
            ("clickhouse://u:s3/cr3t@host", f"The DSN 'clickhouse://***@host' {_NO_URL}"),
            ("clickhouse://u:p#s3cr3t@host", f"The DSN 'clickhouse://***@host' {_NO_URL}"),
            ("clickhouse://host/a/b", "The DSN 'clickhouse://host/a/b' has more than a database after the host."),
            ("chdb://", "The DSN 'chdb://' names no absolute folder (three slashes: chdb:///var/lib/logs)."),
            ("chdb:///", "The DSN 'chdb:///' names no absolute folder (three slashes: chdb:///var/lib/logs)."),
            ("chdb://var/logs", "The DSN 'chdb://var/logs' names no absolute folder (three slashes: chdb:///var/lib/logs)."),
        ],
    )  # fmt: skip
    def test_say_what_is_accepted_and_not_what_is_secret(self, text, message):
        """The message is enough to mend it, and may be pasted into a ticket."""
        with pytest.raises(ConfigurationError) as raised:
            parse_dsn(text)
        assert str(raised.value) == f"{message} {_ACCEPTED}"
        assert raised.value.__cause__ is None

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "clickhouse://u:s3cr3t@host/db?max_threads=1",
                "The DSN 'clickhouse://u:***@host/db' has the unknown option 'max_threads'.",
            ),
            ("chdb:///a?verify=0", "The DSN 'chdb:///a' has the unknown option 'verify'."),
        ],
    )
    def test_unknown_options(self, text, message):
        """ClickHouse settings are sent in another way."""
        with pytest.raises(ConfigurationError) as raised:
            parse_dsn(text)
        assert str(raised.value).startswith(message)
        assert str(raised.value).endswith("ClickHouse settings are the argument settings=.")


class TestSecrets:
    def test_the_password_of_a_proxy(self):
        """It is in an option."""
        dsn = parse_dsn("clickhouse://host/db?http_proxy=http://me:s3cr3t@proxy:3128")
        assert dsn.options == {"http_proxy": "http://me:s3cr3t@proxy:3128"}
        assert "s3cr3t" not in f"{dsn} {dsn!r}"

    @given(
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1),
        st.sampled_from(["tcp://127.0.0.1:9000", "clickhouse://", "clickhouse://h/a/b", "chdb://a", "host", ""]),
    )
    def test_no_option_is_ever_shown(self, password, before):
        """Whatever it is called."""
        with pytest.raises(ConfigurationError) as raised:
            parse_dsn(f"{before}?username=app&password=CANARY{password}CANARY&x")
        assert "CANARY" not in f"{raised.value} {raised.value!r}"

    def test_a_question_mark_in_a_password_makes_no_options(self):
        """What follows it is taken for options, and the first of them is a part of the password."""
        with pytest.raises(ConfigurationError, match=r"in a password \? must be written %3F") as raised:
            parse_dsn("clickhouse://user:@0?s3cr3t@host:8123/db")
        assert "s3cr3t" not in str(raised.value)

    @given(
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1),
        st.sampled_from(["clickhouse", "https", "nonsense"]),
    )
    def test_no_password_is_ever_shown(self, password, scheme):
        """Encoded or not, in a DSN that is accepted or refused."""
        canary = f"CANARY{password}CANARY"
        try:
            dsn = parse_dsn(f"{scheme}://user:{canary}@host:8123/db")
            shown = f"{dsn} {dsn!r}"
        except ConfigurationError as error:
            shown = f"{error} {error!r}"
        assert "CANARY" not in shown
