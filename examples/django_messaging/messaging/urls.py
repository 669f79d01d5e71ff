"""The same routes for every variant; the views come from the one that the settings name."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib import admin
from django.urls import path

from chat.views.login import log_in

views = import_module(f"chat.views.{settings.VARIANT}")

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", log_in),
    path("conversations/<int:conversation_id>/messages/", views.send_message),
    path("users/activate/", views.activate_users),
    path("users/suspend/", views.suspend_users),
]
