# mypy: ignore-errors
"""What the shop does."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpResponse
from django.urls import path
from shop.models import Product, Tag


def log_in(request: Any) -> HttpResponse:
    login(request, authenticate(request, username="ada", password="secret"))
    return HttpResponse()


def log_out(request: Any) -> HttpResponse:
    logout(request)
    return HttpResponse()


def make(request: Any) -> HttpResponse:
    Product.objects.create(name="Tea", price=3, password="hunter2")
    return HttpResponse()


def change(request: Any) -> HttpResponse:
    product = Product.objects.get()
    product.price, product.password = 4, "hunter3"
    product.save()
    return HttpResponse()


def tag(request: Any) -> HttpResponse:
    Product.objects.get().tags.add(Tag.objects.create(name="green"))
    return HttpResponse()


def untag(request: Any) -> HttpResponse:
    Product.objects.get().tags.remove(Tag.objects.get())
    return HttpResponse()


def fail(request: Any) -> HttpResponse:
    try:
        with transaction.atomic():
            Product.objects.create(name="Coffee", price=5)
            raise ZeroDivisionError
    except ZeroDivisionError:
        return HttpResponse(status=500)


def delete(request: Any) -> HttpResponse:
    Product.objects.get().delete()
    return HttpResponse()


urlpatterns = [
    path("login/", log_in), path("make/", make), path("change/", change), path("tag/", tag), path("untag/", untag),
    path("fail/", fail), path("delete/", delete), path("logout/", log_out),
]  # fmt: skip
