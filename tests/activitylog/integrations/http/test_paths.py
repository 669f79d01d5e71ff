"""No secret of a path is stored."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.integrations.http.paths import MAX_LENGTH, clean_path, cut


class TestCleanPath:
    """Variables of the route whose names say what they hold."""

    @pytest.mark.parametrize(
        ("path", "parameters", "clean"),
        [
            ("/reset/s3cr3t", {"token": "s3cr3t"}, "/reset/[redacted]"),
            ("/users/42/reset/s3cr3t/", {"user_id": 42, "reset_token": "s3cr3t"}, "/users/42/reset/[redacted]/"),
            ("/reset/a/b/c", {"token": "a/b/c"}, "/reset/[redacted]"),
            ("/files/s3cr3t/s3cr3t.txt", {"token": "s3cr3t"}, "/files/[redacted]/[redacted].txt"),
            ("/reset/MQ-s3cr3t", {"uid": "MQ", "token": "s3cr3t"}, "/reset/MQ-[redacted]"),
            ("/k/one two/ü", {"api_key": "one two", "password": "ü"}, "/k/[redacted]/[redacted]"),
            ("/k/abc/b", {"api_key": "abc", "secret": "b"}, "/k/[redacted]/[redacted]"),
            ("/aXbXc", {"token": "aXb", "secret": "bXc"}, "/[redacted]"),
            ("/share/a", {"token": "a"}, "/sh[redacted]re/[redacted]"),
            ("/red/red", {"token": "red"}, "/[redacted]/[redacted]"),
            ("/items/42", {"id": 42}, "/items/42"),
            ("/items/42", {}, "/items/42"),
            ("/items/42", None, "/items/42"),
            ("/tokens/42", {"token_count": 42}, "/tokens/42"),
            ("/list", {"token": None}, "/list"),
            ("/list/", {"token": ""}, "/list/"),
        ],
    )
    def test_what_is_left(self, path: str, parameters: Any, clean: str) -> None:
        """Every place of the value, whole segments or not."""
        assert clean_path(path, parameters, lambda: "/template/{token}") == clean

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("/verify/007", 7),
            ("/verify/7/007", 7),
            ("/reset/6BA7B810-9DAD-11D1-80B4-00C04FD430C8", uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")),
            ("/reset/ABC", "abc"),
            ("/reset/s3%63r3t", "s3cr3t"),
            ("/reset/1.50", 1.5),
            ("/reset/abc", b"abc"),
        ],
    )
    def test_a_value_that_is_not_in_the_path_as_it_was_written(self, path: str, value: Any) -> None:
        """The route's template says what can be said; without one nothing is."""
        assert clean_path(path, {"otp": value}, lambda: "/verify/{otp}") == "/verify/{otp}"
        assert clean_path(path, {"otp": value}, lambda: None) is None

    def test_one_of_several_that_is_not(self) -> None:
        """Is enough."""
        parameters = {"token": "s3cr3t", "otp": 7}
        assert clean_path("/s3cr3t/007", parameters, lambda: "/{token}/{otp}") == "/{token}/{otp}"

    def test_a_secret_is_taken_out_before_the_path_is_cut(self) -> None:
        """The first half of one would not be known as a secret."""
        secret = "s" * 100
        path = "/" + "x/" * (MAX_LENGTH // 2 - 10) + secret
        cleaned = clean_path(path, {"token": secret}, lambda: None)
        assert cleaned is not None
        assert cleaned.endswith("x/[redacted]")

    @given(
        secrets=st.lists(st.text("ab/-é", min_size=1, max_size=5), min_size=1, max_size=3),
        between=st.lists(st.text("ab/xé", max_size=4), min_size=4, max_size=4),
    )
    def test_nothing_of_any_secret_is_left(self, secrets: list[str], between: list[str]) -> None:
        """A character is shown only if no secret covers it, wherever it is found: a model by single characters."""
        path = "/" + "".join(text + secret for text, secret in zip(between, [*secrets, "", ""], strict=False))
        covered = {
            index + offset
            for secret in secrets
            for index in range(len(path))
            if path.startswith(secret, index)
            for offset in range(len(secret))
        }
        expected = "".join("\0" if index in covered else path[index] for index in range(len(path)))
        while "\0\0" in expected:
            expected = expected.replace("\0\0", "\0")
        names = dict(zip(["token", "password", "api_key"], secrets, strict=False))
        assert clean_path(path, names, lambda: None) == expected.replace("\0", "[redacted]")


class TestCut:
    """Long texts lose their end, by whole words."""

    def test_short_texts(self) -> None:
        """Stay as they are."""
        assert cut("", "/") == ""
        assert cut("/" * MAX_LENGTH, "/") == "/" * MAX_LENGTH

    def test_long_texts(self) -> None:
        """End at a separator."""
        assert cut("/ab" * 1000, "/") == "/ab" * (MAX_LENGTH // 3) + "/"
        assert cut("Mozilla " + "x" * 5000, " ") == "Mozilla "
        assert cut("x" * 5000, "/") == ""

    @given(st.text("ab ", max_size=3000))
    def test_what_is_kept(self, text: str) -> None:
        """A beginning of the text, not longer than is allowed."""
        kept = cut(text, " ")
        assert text.startswith(kept)
        assert len(kept) <= MAX_LENGTH
        assert kept in (text, "") or kept.endswith(" ")
