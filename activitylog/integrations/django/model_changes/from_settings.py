"""``ACTIVITYLOG["models"]``: models that are captured without a change of their code."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import apps
from django.db import models

from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.django.model_changes import registry
from activitylog.integrations.django.model_changes.options import OPTIONS, captured_of

Found = tuple[tuple[type[models.Model], Mapping[str, Any]], ...]


def register_from_settings(value: Any) -> None:
    """
    Register models as a setting has them.

    Args:
        value: a list of labels (``"chat.Message"``) and of dicts, ``{"model": "auth.User", "exclude": [...]}``,
            with the arguments of :func:`activitylog.integrations.django.register`.

    Raises:
        ConfigurationError: it is no such list; nothing is registered then.
    """
    connect(read(value))


def read(value: Any) -> Found:
    """
    Check the setting; Django's models must be loaded.

    Raises:
        ConfigurationError: as :func:`register_from_settings`.
    """
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise ConfigurationError(
            f"models: expected a list, got {shown(value)}.",
            hint='Write ["chat.Message", {"model": "auth.User", "exclude": ["last_login"]}].',
        )
    return tuple(_entry(f"models[{index}]", entry) for index, entry in enumerate(value))


def connect(found: Found) -> None:
    """Register what :func:`read` returned."""
    for model, options in found:
        registry.add(model, dict(options))


def _entry(place: str, entry: Any) -> tuple[type[models.Model], Mapping[str, Any]]:
    try:
        if not isinstance(entry, Mapping):
            model, options = model_named(entry), {}
        else:
            options = {key: value for key, value in entry.items() if key != "model"}
            if "model" not in entry:
                raise ConfigurationError("there is no model.", hint='Write {"model": "chat.Message", ...}.')
            model = model_named(entry["model"])
        _check_keys(options)
        captured_of(model, **options)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error.message}", hint=error.hint) from None
    return model, options


def _check_keys(options: Mapping[str, Any]) -> None:
    for key in options:
        if key not in OPTIONS:
            near = difflib.get_close_matches(str(key), OPTIONS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(OPTIONS)}."
            raise ConfigurationError(f"there is no option {shown(key)}.", hint=hint)


def model_named(label: Any) -> type[models.Model]:
    """
    The model of a label, ``"chat.Message"``.

    Raises:
        ConfigurationError: there is none.
    """
    if not isinstance(label, str):
        raise ConfigurationError(f"expected a label such as 'chat.Message', got {shown(label)}.")
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        labels = {one._meta.label.lower(): one._meta.label for one in apps.get_models()}
        near = difflib.get_close_matches(label.lower(), labels, n=1)
        hint = f"Did you mean {labels[near[0]]!r}?" if near else "Write it as app_label.ModelName."
        raise ConfigurationError(f"there is no model {shown(label)}.", hint=hint) from None
    if model._meta.swapped:
        raise ConfigurationError(
            f"the model {model._meta.label} is not in use.", hint=f"Write {model._meta.swapped!r}."
        )
    return model
