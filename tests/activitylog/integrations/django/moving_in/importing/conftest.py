"""A store to import into, behind HTTP, and rows to import."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command

from activitylog.store import apply, connect
from tests.activitylog.integrations.django.moving_in.models import PlainRow
from tests.conftest import MakeDatabase

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
_numbers = itertools.count(1)


class Store(NamedTuple):
    """A store of one test's own."""

    url: str
    client: Any

    def ask(self, sql: str) -> list[Any]:
        """Rows of an answer."""
        return self.client.query(sql).result_rows  # type: ignore[no-any-return]

    def keys(self) -> list[int]:
        """Keys of the rows that are stored, as often as they are."""
        return sorted(int(key) for (key,) in self.ask("SELECT Attributes['legacy.pk'] FROM activity_events"))


@pytest.fixture
def store(server_url: str, make_migrated: MakeDatabase) -> Iterator[Store]:
    """All steps applied, no events."""
    base = server_url.rsplit("/", 1)[0]
    with contextlib.ExitStack() as stack:
        if os.environ.get("CLICKHOUSE_URL"):
            name = f"moving_in_{os.getpid()}_{next(_numbers)}"
            apply(connect(f"{base}/{name}", create_database=True))
        else:
            name = stack.enter_context(make_migrated()).database
        client = connect(f"{base}/{name}")
        yield Store(f"{base}/{name}", client)
        client.close()


def make_rows(
    count: int, *, first: dt.datetime = NOON, step: dt.timedelta = dt.timedelta(hours=1), **values: Any
) -> None:
    """Rows of :class:`PlainRow`, an hour apart."""
    actions = ("LOGIN", "message_sent", "user.activated")
    PlainRow.objects.bulk_create(
        PlainRow(
            **{
                "action": actions[number % 3],
                "user_id": number % 7 + 1,
                "created_at": first + number * step,
                **values,
            }
        )
        for number in range(count)
    )


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    said: dict[str, Any]
    error: str


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Callable[..., Ran]:
    """``manage.py import_activity chat.PlainRow --json ...``, into the test's store."""

    def run(*arguments: str, model: str = "chat.PlainRow", **options: Any) -> Ran:
        out = StringIO()
        given = {"url": store.url, "state": tmp_path / "state", "json": True, "batch": 10, **options}
        code, error = 0, ""
        try:
            call_command("import_activity", model, *arguments, stdout=out, stderr=StringIO(), **given)
        except CommandError as failure:
            code, error = failure.returncode, str(failure)
        text = out.getvalue()
        return Ran(code, json.loads(text) if given["json"] and text else {"text": text}, error)

    return run
