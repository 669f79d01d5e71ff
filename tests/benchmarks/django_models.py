"""
What it costs to capture changes of a model::

    python -m tests.benchmarks.django_models [--postgres] [ROUNDS [ROWS]]

Three models that are the same but for what watches them: nothing, activitylog, django-auditlog. Each operation is
done by all of them in turn, in every round; the table has medians: time on the wall, and CPU time of the calling
thread, which other work on the machine does not disturb. Compare within a table. Events go through the whole
pipeline into a null exporter; django-auditlog writes its rows into the same database.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

ROWS = 10_000
SAVES = 200
FEW = 100

#: Microseconds a row: on the wall, and CPU of the calling thread.
Took = tuple[float, float]


def set_up(database: dict[str, Any]) -> None:
    """Django with django-auditlog on a database, and the three tables."""
    settings.configure(
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "auditlog"],
        SECRET_KEY="of the benchmark",
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in subjects().values():
            editor.create_model(model)


def subjects() -> dict[str, Any]:
    """The models, by what watches them."""
    from django.apps import apps
    from django.db import models

    def model(name: str) -> Any:
        if name in apps.all_models["bench"]:
            return apps.all_models["bench"][name]
        fields = {
            "text": models.TextField(),
            "channel": models.CharField(max_length=50),
            "number": models.IntegerField(default=0),
            "edited": models.BooleanField(default=False),
            "created_at": models.DateTimeField(auto_now_add=True),
            "data": models.JSONField(default=dict),
        }
        meta = type("Meta", (), {"app_label": "bench"})
        return type(name, (models.Model,), {**fields, "Meta": meta, "__module__": __name__})

    return {"nothing": model("plain"), "activitylog": model("captured"), "django-auditlog": model("audited")}


@contextmanager
def watched() -> Iterator[None]:
    """The models are registered, and events go somewhere."""
    from auditlog.registry import auditlog  # type: ignore[import-untyped]

    from activitylog import config
    from activitylog.integrations.django import register
    from activitylog.pipeline import Pipeline
    from activitylog.provider import BoundedProcessor
    from activitylog.settings import Settings
    from tests.benchmarks.test_emit_cost import NullExporter

    register(subjects()["activitylog"])
    auditlog.register(subjects()["django-auditlog"])
    pipeline_settings = Settings(max_queue_size=1_000_000)
    destination = BoundedProcessor(NullExporter, "null:", pipeline_settings)
    pipeline = Pipeline(pipeline_settings, destinations=[destination])
    config.swap(pipeline)
    try:
        yield
    finally:
        config.swap(None)
        pipeline.shutdown(10)
        assert not pipeline.stats().dropped


class Operations:
    """What is measured; each returns of how many rows it was."""

    def __init__(self) -> None:
        self._round = 0

    def next_round(self) -> None:
        """Texts that no row has yet."""
        self._round += 1

    def load(self, model: Any) -> int:
        return sum(1 for _ in model.objects.all().iterator(chunk_size=2_000))

    def save(self, model: Any) -> int:
        return self._save(model, nullcontext())

    def save_in_a_transaction(self, model: Any) -> int:
        from django.db import transaction

        return self._save(model, transaction.atomic())

    def _save(self, model: Any, block: Any) -> int:
        row = model.objects.first()
        with block:
            for number in range(SAVES):
                row.text = f"text {self._round} {number}"
                row.save()
        return SAVES

    def save_unchanged(self, model: Any) -> int:
        row = model.objects.first()
        for _ in range(SAVES):
            row.save()
        return SAVES

    def create(self, model: Any) -> int:
        for _ in range(SAVES):
            model.objects.create(text="new", channel="general")
        return SAVES

    def update(self, model: Any) -> int:
        return int(model.objects.update(number=self._round))

    def update_few(self, model: Any) -> int:
        first = model.objects.order_by("pk").values_list("pk", flat=True)[FEW]
        return int(model.objects.filter(pk__lt=first).update(number=self._round))

    def bulk_create(self, model: Any) -> int:
        rows = [model(text=str(number), channel="bulk", data={"n": number}) for number in range(1_000)]
        return len(model.objects.bulk_create(rows))

    def bulk_update(self, model: Any) -> int:
        rows = list(model.objects.all()[:FEW])
        for row in rows:
            row.text = f"bulk {self._round}"
        return int(model.objects.bulk_update(rows, ["text"]))

    def delete_new(self, model: Any) -> int:
        return int(model.objects.filter(channel="bulk").delete()[0])


CASES = (
    ("load", "load all rows"),
    ("save", "save()"),
    ("save_in_a_transaction", "save() in a transaction"),
    ("save_unchanged", "save(), nothing changed"),
    ("create", "create()"),
    ("update", "update() of all rows"),
    ("update_few", f"update() of {FEW} rows"),
    ("bulk_update", f"bulk_update() of {FEW} rows"),
    ("bulk_create", "bulk_create() of 1,000 rows"),
    ("delete_new", "delete() of these"),
)


def timed(operation: Callable[[Any], int], model: Any) -> Took:
    """Microseconds a row."""
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    rows = operation(model)
    cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
    return wall / rows / 1e3, cpu / rows / 1e3


def measure(rounds: int, rows: int) -> dict[str, dict[str, Took]]:
    """Medians, by operation and by what watches."""
    models = subjects()
    for model in models.values():
        model.objects.bulk_create(
            [model(text=f"text {number}", channel="general", data={"n": number}) for number in range(rows)]
        )
    took: dict[str, dict[str, list[Took]]] = {name: {who: [] for who in models} for name, _ in CASES}
    operations = Operations()
    with watched():
        for _ in range(rounds):
            operations.next_round()
            for name, _title in CASES:
                for who, model in random.sample(list(models.items()), len(models)):
                    took[name][who].append(timed(getattr(operations, name), model))
            for model in models.values():
                model.objects.filter(text="new")._raw_delete("default")
    return {
        name: {
            who: (statistics.median(wall for wall, _ in each), statistics.median(cpu for _, cpu in each))
            for who, each in by.items()
        }
        for name, by in took.items()
    }


def table(medians: dict[str, dict[str, Took]]) -> str:
    """As Markdown: microseconds a row, and how many times as long as without anything that watches."""
    lines = ["| µs a row: wall (CPU) | nothing | activitylog | django-auditlog |", "|---|---|---|---|"]
    for name, title in CASES:
        plain = medians[name]["nothing"]
        cells = [
            f"{wall:,.1f} ({cpu:,.1f})" + ("" if (wall, cpu) == plain else f" x{wall / plain[0]:.2f}")
            for wall, cpu in medians[name].values()
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    numbers = [int(argument) for argument in arguments if argument.isdecimal()]
    rounds, rows = (*numbers, *(9, ROWS)[len(numbers) :])
    if "--postgres" in arguments:
        from tests.postgres import postgres_server

        with postgres_server() as url:
            parts = urlsplit(url)
            set_up(
                {
                    "ENGINE": "django.db.backends.postgresql",
                    "NAME": parts.path.lstrip("/"),
                    "USER": parts.username,
                    "HOST": parts.hostname,
                    "PORT": parts.port,
                }
            )
            print(table(measure(rounds, rows)))  # noqa: T201
            django.db.connections.close_all()
    else:
        with tempfile.TemporaryDirectory() as folder:
            set_up({"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(folder) / "bench.db")})
            print(table(measure(rounds, rows)))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
