"""What an application sets for its requests is checked when it is set."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.http import HTTPOptions, http_options
from activitylog.integrations.http.options import ATTRIBUTES, HTTP_OPTIONS, GivenHTTPOptions, asked


class TestHTTPOptions:
    """All at once."""

    def test_nothing_set(self) -> None:
        """The defaults trust nobody and leave nothing out."""
        assert http_options() == HTTPOptions()
        assert http_options(**dict.fromkeys(HTTP_OPTIONS)) == HTTPOptions()
        assert not HTTPOptions().trusted(None, 0)

    def test_everything_set(self) -> None:
        """Each value arrives where it belongs."""
        options = http_options(
            trusted_proxies=1,
            client_address_header="CF-Connecting-IP",
            request_id_header="",
            omit=["client.address", "user_agent.original"],
            request_event="request.handled",
        )
        assert options.trusted(None, 0)
        assert options.client_address_header == "CF-Connecting-IP"
        assert options.request_id_header == ""
        assert options.omit == {"client.address", "user_agent.original"}
        assert options.request_event == "request.handled"

    def test_the_names_are_those_of_the_type(self) -> None:
        """Editors offer what is accepted."""
        assert set(HTTP_OPTIONS) == set(GivenHTTPOptions.__annotations__)

    @pytest.mark.parametrize(
        ("key", "hint"),
        [("trusted_proxy", "Did you mean 'trusted_proxies'?"), ("x", "There are: trusted_proxies")],
    )
    def test_an_unknown_option(self, key: str, hint: str) -> None:
        """Says what was meant, or what there is."""
        with pytest.raises(ConfigurationError, match=f"no option '{key}'") as caught:
            http_options(**{key: 1})
        assert hint in str(caught.value)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("trusted_proxies", "everybody"),
            ("client_address_header", "X Forwarded For"),
            ("client_address_header", 1),
            ("client_address_header", "X-Forwarded-For\r\n"),
            ("request_id_header", b"X-Request-ID"),
            ("request_id_header", "X-Request-ID:"),
            ("omit", "client.adress"),
            ("omit", ["client.address", "user.id"]),
            ("omit", [["client.address"]]),
            ("omit", {"client.address": True}),
            ("omit", b"client.address"),
            ("omit", True),
            ("request_event", "Request Handled"),
            ("request_event", "request"),
            ("request_event", True),
            ("request_event", "request." + "x" * 128),
        ],
    )
    def test_a_value_that_cannot_be_used(self, key: str, value: Any) -> None:
        """Is an error that names the option."""
        with pytest.raises(ConfigurationError, match=f"^{key}: "):
            http_options(**{key: value})

    def test_the_standard_header_that_is_not_read(self) -> None:
        """Silently finding nobody would be worse."""
        with pytest.raises(ConfigurationError, match="X-Forwarded-For"):
            http_options(client_address_header="Forwarded")

    @pytest.mark.parametrize("value", ["url.path", ("url.path",), {"url.path"}, iter(["url.path"])])
    def test_one_or_several_to_omit(self, value: Any) -> None:
        """A text is one name, not its letters."""
        assert http_options(omit=value).omit == {"url.path"}

    def test_all_can_be_omitted(self) -> None:
        """Nothing of a request is forced upon anybody."""
        assert http_options(omit=ATTRIBUTES).omit == set(ATTRIBUTES)


class TestAsked:
    """Functions that are called when an event is emitted."""

    def test_functions(self) -> None:
        """Whatever can be called, and nothing."""
        assert asked(None, "actor") is None
        assert asked(len, "actor") is len
        partial = functools.partial(getattr, object())
        assert asked(partial, "actor") is partial

    @pytest.mark.parametrize("value", ["myapp.users.current", 1, object()])
    def test_no_function(self, value: Any) -> None:
        """Is an error that names the option."""
        with pytest.raises(ConfigurationError, match=r"^tenant: expected a function, got"):
            asked(value, "tenant")

    def test_a_coroutine_function(self) -> None:
        """Could never be awaited; the error says what to do instead."""

        async def current_user(_scope: Any) -> None:
            raise NotImplementedError

        class Users:
            async def __call__(self, _scope: Any) -> None:
                raise NotImplementedError

        for value in (current_user, Users()):
            with pytest.raises(ConfigurationError, match="bind_request"):
                asked(value, "actor")
