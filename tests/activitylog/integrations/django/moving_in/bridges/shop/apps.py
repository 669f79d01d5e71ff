# mypy: ignore-errors
"""The shop's application."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class ShopConfig(AppConfig):
    """Connects what is told beside rows."""

    name = "shop"

    def ready(self) -> None:
        """As a team writes it."""
        if settings.SHOP_LIBRARY.startswith("auditlog"):
            from auditlog.registry import auditlog as registry
            from shop.models import Product

            registry.register(Product, m2m_fields={"tags"})
        if settings.SHOP_LIBRARY == "auditlog_beside":
            from activitylog.integrations.django.moving_in import auditlog

            auditlog.connect()
