"""Where endpoints lead, and what of them is shown."""

from __future__ import annotations

import pytest

from activitylog.collector.addresses import endpoint_of


@pytest.mark.parametrize(
    ("text", "host", "loopback", "shown"),
    [
        ("localhost:4317", "localhost", True, "localhost:4317"),
        ("127.8.0.1:4317", "127.8.0.1", True, "127.8.0.1:4317"),
        ("[::1]:4317", "::1", True, "[::1]:4317"),
        ("[::]:4317", "::", False, "[::]:4317"),
        (":4317", "", False, ":4317"),
        ("0.0.0.0:4317", "0.0.0.0", False, "0.0.0.0:4317"),
        ("gateway", "gateway", False, "gateway"),
        ("dns:///gateway:4317", "", False, "dns://..."),
        ("unix:///run/otel.sock", "", True, "unix://..."),
        ("https://u:s3cret@ch:8443/x?password=s3cret#s3cret", "ch", False, "https://ch:8443"),
        ("tcp://u:s3@cret@ch:9000", "ch", False, "tcp://ch:9000"),
        ("tcp://localhost:9000,other:9000", "other", False, "tcp://..."),
        ("tcp://127.0.0.1:9000,localhost:9000", "127.0.0.1", True, "tcp://..."),
        ("s3cret word", "s3cret word", False, "..."),
    ],
)
def test_parts(text: str, host: str, loopback: bool, shown: str) -> None:
    """Neither users, passwords, paths and parameters are shown, nor what looks like no host."""
    endpoint = endpoint_of(text)
    assert (endpoint.host, endpoint.is_loopback, str(endpoint)) == (host, loopback, shown)


@pytest.mark.parametrize(
    ("text", "has_password"),
    [("tcp://u:p@h", True), ("tcp://u@h", False), ("tcp://h?password=x", True), ("http://h:8123", False)],
)
def test_passwords(text: str, has_password: bool) -> None:
    """In front of the host, or among the parameters."""
    assert endpoint_of(text).has_password is has_password


def test_parameters() -> None:
    """Their last value; one without a value is empty."""
    assert endpoint_of("tcp://h:9000/db?secure&a=1&a=2").query == {"secure": "", "a": "2"}
