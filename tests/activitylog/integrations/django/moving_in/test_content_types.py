"""Types of things."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType

from activitylog.integrations.django.moving_in.content_types import type_of, types_in
from tests.activitylog.integrations.django.project.models import Message


@pytest.mark.django_db
class TestTypeOf:
    """By whatever stands for it."""

    def test_ids_content_types_models_and_names(self) -> None:
        """All of them are one type."""
        kind = ContentType.objects.get_for_model(Message)
        for stands in (kind.pk, kind, Message, Message(), "chat.Message"):
            assert type_of(stands) == "chat.message"

    def test_what_nobody_knows_is_empty(self) -> None:
        """And raises nothing."""
        assert [type_of(10**9), type_of(None), type_of(object())] == ["", "", ""]
        assert type_of("Invoice") == "Invoice"

    def test_an_import_asks_once(self, django_assert_num_queries: Any) -> None:
        """Whatever the rows refer to."""
        kind = ContentType.objects.get_for_model(Message).pk
        with django_assert_num_queries(1):
            known = types_in("default")
            assert [known(kind), known(kind), known(10**9), known("chat.Message")] == [
                "chat.message", "chat.message", "", "chat.message",
            ]  # fmt: skip
