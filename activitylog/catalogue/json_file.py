"""
A catalogue as a file: JSON that people read, edit and review.

Sorted, a line an attribute, and without figures unless they are asked for, so that a difference between two of
them is a difference between what they say. What is empty is left out, but ``owner`` and ``doc``, which are there
to be filled in::

    {
      "format": "activitylog catalogue 1",
      "events": [
        {
          "name": "message.sent",
          "version": 2,
          "owner": "team-chat",
          "doc": "A member posted a message.",
          "class": "myapp.events:MessageSent",
          "objects": ["message"],
          "attributes": {
            "channel": {"type": "text", "required": true, "declared": true, "doc": "where it was posted"},
            "length": {"type": "integer", "declared": true, "doc": ""}
          }
        }
      ]
    }
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from activitylog.catalogue.entry import Attribute, AttributeFigures, Catalogue, Entry, EventFigures
from activitylog.catalogue.json_reading import FORMAT, catalogue_of
from activitylog.exceptions import ConfigurationError
from activitylog.visible import ascii_json, visible

_WORDS: Final = ("context", "actors", "objects", "targets", "outcomes", "services")
_MODE: Final = 0o644


def load(path: str | Path) -> Catalogue:
    """
    Read a catalogue from a file.

    Raises:
        ConfigurationError: there is no such file, or it is no catalogue; says where it is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no catalogue {str(path)!r}.", hint=f"Make it: `activitylog catalogue update {path}`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ConfigurationError(f"The catalogue {str(path)!r} cannot be read: {reason}.") from error
    return loads(text, str(path))


def loads(text: str, name: str = "the catalogue") -> Catalogue:
    """
    Read a catalogue.

    Args:
        text: of the file.
        name: of the file, for messages.

    Raises:
        ConfigurationError: it is no catalogue.
    """
    return catalogue_of(text, name)


def save(catalogue: Catalogue, path: str | Path, *, figures: bool = False) -> None:
    """
    Write a catalogue to a file: whole, or not at all.

    Args:
        figures: also volumes, times and shares, which change with every event.

    Raises:
        OSError: it cannot be written.
    """
    path = Path(path)
    # The file that a link points to, and its mode, stay what they are.
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else _MODE
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(dumps(catalogue, figures=figures))
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def dumps(catalogue: Catalogue, *, figures: bool = False) -> str:
    """
    The text of the file.

    Args:
        figures: also volumes, times and shares, which change with every event.
    """
    lines = ["{", f'  "format": {_json(FORMAT)},', '  "events": [']
    lines += _joined([_event(entry, figures=figures) for entry in catalogue.entries])
    return "\n".join([*lines, "  ]", "}"]) + "\n"


def _event(entry: Entry, *, figures: bool) -> list[str]:
    parts = [[f'      "{key}": {_json(value)}'] for key, value in _facts(entry, figures=figures)]
    if entry.attributes:
        of_attributes = [
            [f"        {_json(one.name)}: {_json(_attribute(one, figures=figures))}"] for one in entry.attributes
        ]
        parts.append(['      "attributes": {', *_joined(of_attributes), "      }"])
    return ["    {", *_joined(parts), "    }"]


def _joined(blocks: list[list[str]]) -> list[str]:
    """Lines of all blocks, with a comma behind each block but the last."""
    commas = [",", ""]
    return [
        line + (commas[number == len(blocks)] if place == len(block) else "")
        for number, block in enumerate(blocks, 1)
        for place, line in enumerate(block, 1)
    ]


def _facts(entry: Entry, *, figures: bool) -> Iterator[tuple[str, Any]]:
    yield "name", entry.name
    if entry.version is not None:
        yield "version", entry.version
    yield "owner", entry.owner
    yield "doc", entry.doc
    if entry.declared_by:
        yield "class", entry.declared_by
    for word in _WORDS:
        if getattr(entry, word):
            yield word, list(getattr(entry, word))
    if figures and entry.figures is not None:
        yield "figures", _event_figures(entry.figures)


def _attribute(attribute: Attribute, *, figures: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"type": attribute.type}
    if attribute.required:
        facts["required"] = True
    if attribute.declared:
        facts["declared"] = True
    facts["doc"] = attribute.doc
    if figures and attribute.figures is not None:
        facts["figures"] = _attribute_figures(attribute.figures)
    return facts


def _event_figures(figures: EventFigures) -> dict[str, Any]:
    times = {"first": figures.first, "last": figures.last}
    return {
        "events": figures.events,
        "standard_error": figures.standard_error,
        "trust": figures.trust,
        "rows": figures.rows,
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
        "sampled_rows": figures.sampled_rows,
        "counted": figures.counted,
        "not_kept": figures.not_kept,
    }


def _attribute_figures(figures: AttributeFigures) -> dict[str, Any]:
    return {"share": round(figures.share, 4), "rows": figures.rows, "kinds": dict(sorted(figures.kinds.items()))}


def _json(value: Mapping[str, Any] | list[str] | str | int) -> str:
    """JSON in one line; characters that do not print are escaped, since a name may come from anybody."""
    text = json.dumps(value, ensure_ascii=False)
    return text if visible(text) == text else ascii_json(text)
