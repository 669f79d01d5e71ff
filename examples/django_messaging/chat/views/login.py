"""Logging in, the same in each variant."""

from __future__ import annotations

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


@csrf_exempt  # an API for programs
@require_POST
def log_in(request: HttpRequest) -> JsonResponse:
    """By name and password."""
    user = authenticate(request, username=request.POST.get("username"), password=request.POST.get("password"))
    if user is None:
        return JsonResponse({"error": "wrong name or password"}, status=403)
    login(request, user)
    return JsonResponse({"user": user.pk})
