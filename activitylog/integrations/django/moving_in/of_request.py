"""What a request says that was handed to an old function, where no middleware has bound it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from activitylog.integrations.django import conf
from activitylog.integrations.django.requests import DjangoRequest
from activitylog.integrations.http import current_request


def values_of_request(request: Any) -> dict[str, Any]:
    """Keywords of ``emit``. Empty where a request is bound already: it is the same one, and known better."""
    found: dict[str, Any] = {}
    if current_request() is not None:
        return found
    with suppress(Exception):  # what is no request, or whose session cannot be read, says less
        # Django REST framework hands out a wrapper.
        told = DjangoRequest(getattr(request, "_request", request), conf.options())
        for key, ask in (("request", told.attributes), ("tenant", told.tenant), ("actor", told.actor)):
            with suppress(Exception):
                found[key] = ask()
    return {key: value for key, value in found.items() if value is not None}
