"""A structlog processor for chains whose renderer prints texts as they are, as ``ConsoleRenderer`` does."""

from __future__ import annotations

from typing import Any, Final

from structlog.processors import format_exc_info
from structlog.typing import EventDict, WrappedLogger

from activitylog.visible import visible, visible_lines

_MAX_DEPTH: Final = 8
_PRINT_THEMSELVES: Final = (bool, int, float, bytes, type(None))


class EscapeUnprintable:
    """
    Make every text of an event safe for a terminal: what does not print becomes its escape, such as ``\\x1b``.

    Args:
        with_lines: keys whose values keep their line ends, because they are stacks.

    Escape sequences, control characters, line ends, bidi marks and characters without width, in keys and values,
    at any depth; also in what the renderer would print of other objects. ``exc_info`` becomes the text
    ``exception``, since renderers print its message raw. Put it right before the renderer, which may add colours.
    """

    def __init__(self, *, with_lines: tuple[str, ...] = ("exception", "stack")) -> None:
        self._with_lines = frozenset(with_lines)

    def __call__(self, logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
        """Replace what is not safe; the event is changed in place."""
        if event_dict.get("exc_info"):
            format_exc_info(logger, method_name, event_dict)
        for key, value in list(event_dict.items()):
            safe = visible_lines(value) if key in self._with_lines and type(value) is str else _safe(value, 0)
            name = _safe_key(key)
            if name == key:
                event_dict[key] = safe
            else:
                del event_dict[key]
                event_dict[_unused(name, event_dict)] = safe
        return event_dict


def _safe(value: Any, depth: int) -> Any:
    """The value, with all texts in it visible; the same object where nothing had to be changed."""
    if isinstance(value, str):
        return visible(str.__str__(value))
    if isinstance(value, _PRINT_THEMSELVES):
        return value
    if depth < _MAX_DEPTH and type(value) in (list, tuple):
        return type(value)(_safe(item, depth + 1) for item in value)
    if depth < _MAX_DEPTH and type(value) is dict:
        safe: dict[Any, Any] = {}
        for key, item in value.items():
            safe[_unused(_safe_key(key), safe)] = _safe(item, depth + 1)
        return safe
    return _safe_object(value)


def _safe_object(value: Any) -> Any:
    """An object whose text is safe as it is, else its text."""
    try:
        texts = repr(value), str(value)
        if all(visible_lines(text) == text for text in texts):
            return value
        return visible(texts[0])
    except Exception:  # noqa: BLE001 - the renderer would meet the same error
        return f"<{visible(type(value).__qualname__)}>"


def _safe_key(key: Any) -> Any:
    return visible(str.__str__(key)) if isinstance(key, str) else _safe_object(key)


def _unused(key: Any, names: Any) -> Any:
    """The key, lengthened until it is no other's."""
    while key in names:
        key = f"{key}_"
    return key
