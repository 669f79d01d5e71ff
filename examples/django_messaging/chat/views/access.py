"""Who may ask, the same in each variant."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

View = Callable[..., JsonResponse]


def api(view: View) -> View:
    """A view for programs that have logged in."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        if not request.user.is_authenticated:
            return JsonResponse({"error": "log in first"}, status=401)
        return view(request, *args, **kwargs)

    return csrf_exempt(require_POST(checked))


def staff(view: View) -> View:
    """A view for programs of the staff."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        if not getattr(request.user, "is_staff", False):
            return JsonResponse({"error": "for the staff"}, status=403)
        return view(request, *args, **kwargs)

    return api(checked)


def ids(request: HttpRequest) -> list[int]:
    """The ids that a request names, separated by commas."""
    return [int(part) for part in request.POST.get("ids", "").split(",") if part.isdigit()]
