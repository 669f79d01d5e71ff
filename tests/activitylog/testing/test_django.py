"""Tests of a Django project, by pytest-django and by Django's own runner: a small project of its own each time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.activitylog.testing.runs import OPTIONS, readme_blocks

pytest_plugins = ["pytester"]

SETTINGS = """
    SECRET_KEY = "the tests' own"
    USE_TZ = True
    ROOT_URLCONF = "shop"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""

SHOP = """
    import activitylog
    from activitylog.integrations.django import emit_on_commit
    from django.contrib.auth.models import Group
    from django.db import transaction
    from django.http import HttpResponse
    from django.urls import path


    def pay(request, **values):
        activitylog.emit("order.opened")
        with transaction.atomic():
            order = Group.objects.create(name="order")
            emit_on_commit("order.paid", actor="user:1", object=order, **values)
            if request is None:
                raise ValueError("declined")
        return HttpResponse()


    urlpatterns = [path("pay/", pay)]
"""

WITH_PYTEST = """
    import activitylog
    import pytest
    from activitylog.testing import ActivityTestCase, IsEvent
    from django.contrib.auth.models import Group
    from django.test import TestCase
    from shop import pay


    @pytest.mark.django_db
    def test_committed(activity, client, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            client.get("/pay/")
            activity.assert_emitted_exactly(["order.opened"])
        activity.assert_emitted("order.paid", actor="user:1", object=Group.objects.get())
        assert activity.summary()[1:] == [f"order.paid user:1 -> auth.group:{Group.objects.get().pk} success"]


    @pytest.mark.django_db
    def test_rolled_back(activity, django_capture_on_commit_callbacks):
        with pytest.raises(ValueError), django_capture_on_commit_callbacks(execute=True):
            pay(None)
        activity.assert_emitted_exactly(["order.opened"])


    @pytest.mark.django_db
    def test_in_the_transaction_of_the_test(activity, client):
        client.get("/pay/")
        activity.assert_not_emitted("order.paid")


    @pytest.mark.django_db(transaction=True)
    def test_without_one(activity, client):
        client.get("/pay/")
        activity.assert_emitted("order.paid")


    class PayingTest(ActivityTestCase, TestCase):
        def test_committed(self):
            with self.captureOnCommitCallbacks(execute=True):
                self.client.get("/pay/")
            self.activity.assert_emitted("order.paid", actor="user:1", times=1)


    @pytest.mark.django_db
    class TestAsynchronous:
        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_client(self, activity, async_client):
            response = await async_client.get("/missing/")
            activitylog.emit("page.missed", status=response.status_code)
            assert activity == [IsEvent("page.missed", status=404)]
"""

WITH_UNITTEST = """
    import unittest.mock
    from activitylog.testing import ActivityTestCase
    from django.contrib.auth.models import Group
    from django.test import TestCase, TransactionTestCase


    class PayingTest(ActivityTestCase, TestCase):
        @classmethod
        def setUpTestData(cls):
            cls.group = Group.objects.create(name="a")

        def test_committed(self):
            with self.captureOnCommitCallbacks(execute=True):
                self.client.get("/pay/")
            self.activity.assert_emitted("order.paid", object=Group.objects.get(name="order"))
            self.activity.assert_not_emitted("order.paid", object=self.group)

        def test_in_the_transaction_of_the_test(self):
            with self.captureOnCommitCallbacks() as callbacks:
                self.client.get("/pay/")
            self.activity.assert_emitted_exactly(["order.opened"])
            self.assertEqual(len(callbacks), 1)


    class CommittingTest(ActivityTestCase, TransactionTestCase):
        def test(self):
            self.client.get("/pay/")
            self.activity.assert_emitted_exactly(["order.opened", ("order.paid", {"object": unittest.mock.ANY})])
"""


@pytest.mark.slow
class TestDjango:
    def test_with_pytest(self, pytester: pytest.Pytester) -> None:
        """Events on commit come with the commit, or where pytest-django's fixture has the callbacks run."""
        (example,) = (block for block in readme_blocks() if "django" in block)
        pytester.makepyfile(settings=SETTINGS, shop=SHOP, test_shop=WITH_PYTEST, test_readme=example)
        result = pytester.runpytest_subprocess(*OPTIONS, "--ds=settings", "-W", "error")
        result.assert_outcomes(passed=7)

    def test_with_the_runner_of_django(self, pytester: pytest.Pytester) -> None:
        """Without pytest: the class captures beside Django's own."""
        pytester.makepyfile(settings=SETTINGS, shop=SHOP, test_shop=WITH_UNITTEST)
        result = subprocess.run(
            [sys.executable, "-m", "django", "test", "--settings=settings"],
            cwd=pytester.path,
            env={**os.environ, "PYTHONPATH": str(pytester.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        assert "Ran 3 tests" in result.stderr
