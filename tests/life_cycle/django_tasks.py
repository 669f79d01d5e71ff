"""The module ``celery`` of a Django project, as Celery's manual has it, with one line of ours."""

from __future__ import annotations

import os

import django
from celery import Celery
from django.db import transaction

import activitylog
from activitylog.integrations.celery import instrument
from activitylog.integrations.django import emit_on_commit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.life_cycle.django_settings")

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
instrument()


@app.task
def pay(order: int) -> None:
    """Pays in a transaction, and begins another one that is not committed."""
    with transaction.atomic():
        emit_on_commit("order.paid", object=("order", order))
    try:
        with transaction.atomic():
            emit_on_commit("order.doubled", object=("order", order))
            raise LookupError
    except LookupError:
        pass


def ask(tenant: str, orders: int) -> None:
    """As a view does it."""
    django.setup()
    with activitylog.bind(actor="user:1", tenant=tenant), transaction.atomic():
        for order in range(orders):
            pay.delay_on_commit(order)
