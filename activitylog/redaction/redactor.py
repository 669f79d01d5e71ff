"""
What is done to an event so that no secret of it is stored: the decision for each key, the search in each text.

An ordinary event costs one look at its keys (known ones are remembered, up to a bound) and one at its texts:
texts found clean are remembered, too, up to a bound; the new ones are joined and searched once for
:data:`~activitylog.redaction.patterns.ANCHORS`. Only on a hit each value is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from activitylog.event import FIELDS
from activitylog.exceptions import ConfigurationError
from activitylog.redaction.keys import Globs, names_count, names_id, names_secret, words_of
from activitylog.redaction.patterns import (
    ANCHORS,
    CARDS,
    CERTAIN,
    EMAILS,
    IBANS,
    Pattern,
    may_have_card,
    own_pattern,
)
from activitylog.redaction.pseudonyms import pseudonymizer, text_of
from activitylog.redaction.settings import ATTRIBUTES_OF_KEYWORD, RedactionSettings, is_own

#: The attribute that says what was redacted, as ``key:reason``.
REDACTED: Final = "activity.redacted"
MAX_NOTES: Final = 16

#: What is done with the value of a key: searched for certain secrets; for likely ones, too; replaced because of
#: the key's name; the same, unless it is a number; and what the settings ask for.
Action = Literal["ids", "texts", "secret", "secret_text", "drop", "mask", "pseudonymize"]
_SEARCHED: Final = frozenset({"ids", "texts"})

#: No built-in pattern matches a shorter text.
_SHORTEST: Final = 8
_LONGEST_REMEMBERED: Final = 256
_MAX_REMEMBERED: Final = 4096
#: Of values that were not bounded by Sanitize: levels and values that are looked at; deeper ones are replaced.
_MAX_DEPTH: Final = 16
_MAX_VALUES: Final = 100_000
_MAX_NOTE_LENGTH: Final = 128

_SCHEMA: Final = frozenset(field.attribute for field in FIELDS)
#: Of what the pipeline writes itself: texts that hold what the caller gave.
_OWN_TEXTS: Final = frozenset({"event", "activity.sanitized", REDACTED})
#: Ids that may have a type before them, as ``type:id``, and the attribute in whose presence they have none.
_TYPED_IDS: Final = {"activity.object.ids": "activity.object.type", "activity.actor.on_behalf_of": None}


class Redactor:
    """
    Redacts events by settings.

    Args:
        settings: checked ones.

    Raises:
        ConfigurationError: pseudonyms are asked for, and there is no key.
    """

    def __init__(self, settings: RedactionSettings) -> None:
        self.settings = settings
        self._lists: tuple[tuple[Action, Globs], ...] = (
            ("drop", Globs(_with_attributes(settings.drop))),
            ("mask", Globs(_with_attributes(settings.mask))),
            ("pseudonymize", Globs(_with_attributes(settings.pseudonymize))),
        )
        self._allow = Globs(_with_attributes(settings.allow))
        if settings.enabled and settings.pseudonymize and not settings.key:
            raise ConfigurationError(
                "redaction.pseudonymize needs a key, and there is none.",
                hint="Set ACTIVITYLOG_REDACTION_KEY (at least 16 bytes; the same in all processes).",
            )
        self._pseudonym = pseudonymizer(settings.key, settings.key_id)
        own = [own_pattern(name, expression) for name, expression in settings.patterns.items()]
        self._certain: tuple[Pattern, ...] = (*CERTAIN, *own)
        asked = [pattern for pattern, on in ((EMAILS, settings.emails), (IBANS, settings.ibans)) if on]
        self._always: tuple[Pattern, ...] = (*own, *asked)
        self._likely: tuple[Pattern, ...] = (CARDS, *asked)
        self._shortest = 1 if own else _SHORTEST
        self._actions: dict[str, Action] = {}
        self._plain_keys: set[str] = set()
        self._clean_texts: set[str] = set()

    def redact(self, event_dict: dict[str, Any]) -> dict[str, Any]:
        """
        Redact an event in place; :data:`REDACTED` lists what was changed.

        Values are what Sanitize leaves. Of others (in a foreign chain) texts, bytes, mappings, lists and tuples
        are searched, and replaced by copies where something is found; other objects are left as they are.
        """
        if not self.settings.enabled:
            return event_dict
        if not self._plain_keys.issuperset(event_dict):
            return self._redact_closely(event_dict)
        texts = []
        for value in event_dict.values():
            kind = type(value)
            if kind is str:
                if len(value) >= self._shortest and value not in self._clean_texts:
                    texts.append(value)
            elif kind is not int and kind is not float and kind is not bool:
                return self._redact_closely(event_dict)
        if texts and not self._are_clean(texts):
            return self._redact_closely(event_dict)
        return event_dict

    def redact_text(self, text: str) -> str:
        """A text of no known attribute (a line of a log, a value that is about to be cut), without secrets."""
        return self._clean(text, self._certain + self._likely, []) if self.settings.enabled else text

    def redact_value(self, attribute: str, value: Any) -> Any:
        """The value of one attribute outside of an event (a counter's tenant); None when it is to be left out."""
        event = {attribute: value}
        self.redact(event)
        return event.get(attribute)

    def _are_clean(self, texts: list[str]) -> bool:
        """Whether no pattern can match in any of the texts; those of ordinary length are then remembered."""
        joined = "\n".join(texts)
        if self._always or ANCHORS.search(joined) is not None or may_have_card(joined):
            return False
        if len(self._clean_texts) + len(texts) > _MAX_REMEMBERED:
            self._clean_texts.clear()
        self._clean_texts.update(text for text in texts if len(text) <= _LONGEST_REMEMBERED)
        return True

    def _redact_closely(self, event_dict: dict[str, Any]) -> dict[str, Any]:
        search = _Search(self)
        for key in list(event_dict):
            search.redact_item(event_dict, key)
        if search.notes:
            noted = event_dict.get(REDACTED)
            earlier = [note for note in noted if isinstance(note, str)] if isinstance(noted, list) else []
            notes = list(dict.fromkeys([*earlier, *search.notes]))
            over = len(notes) - MAX_NOTES
            event_dict[REDACTED] = notes if over <= 0 else [*notes[:MAX_NOTES], f"+{over}"]
        return event_dict

    def action(self, key: str) -> Action:
        """What is done with the value of a key."""
        known = self._actions.get(key)
        if known is None:
            known = self._decide(key)
            if len(self._actions) < _MAX_REMEMBERED and len(key) <= _LONGEST_REMEMBERED:
                self._actions[key] = known
                if known in _SEARCHED and self.redact_text(key) == key:
                    self._plain_keys.add(key)
        return known

    def _decide(self, key: str) -> Action:
        if is_own(key):
            return "texts" if key in _OWN_TEXTS else "ids"
        if not self._allow.match(key):
            for action, globs in self._lists:
                if globs.match(key):
                    return action
        words = words_of(key)
        allowed = self._allow.match(key)
        if key not in _SCHEMA and not allowed and names_secret(words):
            return "secret_text" if names_count(words) else "secret"
        return "ids" if allowed or names_id(words) or key in _TYPED_IDS else "texts"

    def _clean(self, text: str, patterns: Sequence[Pattern], reasons: list[str]) -> str:
        """The text without what the patterns find; the names of those that found something go to ``reasons``."""
        mask = self.settings.replacement
        anchored = ANCHORS.search(text) is not None
        for pattern in patterns:
            if pattern is CARDS:
                worth = may_have_card(text)
            else:
                worth = (anchored or pattern in self._always) and pattern.may_match(text)
            if worth:
                cleaned = pattern.mask(text, mask)
                if cleaned != text:
                    reasons.append(pattern.name)
                    text = cleaned
        return text


class _Search:
    """One event's worth of close looks: what was noted, and how many values may still be looked at."""

    __slots__ = ("_left", "_redactor", "notes")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = _MAX_VALUES
        self.notes: list[str] = []

    def redact_item(self, values: dict[str, Any], key: Any) -> None:
        """Redact one value of a mapping in place, and its key where that holds a secret."""
        shown = self._key(key)
        value = values[key]
        cleaned, dropped = self._redacted(key if isinstance(key, str) else shown, shown, value, values)
        if shown != key and isinstance(key, str):
            del values[key]
            while shown in values:
                shown += "_"
            key = shown
        if dropped:
            values.pop(key, None)
        elif cleaned is not value or key not in values:
            values[key] = cleaned

    def _key(self, key: Any) -> str:
        reasons: list[str] = []
        text = key if isinstance(key, str) else str(key) if isinstance(key, (int, float)) else type(key).__name__
        cleaned = self._redactor._clean(text, self._redactor._certain + self._redactor._likely, reasons)
        self._note(cleaned, *reasons)
        return cleaned

    def _note(self, key: str, *reasons: str) -> None:
        self.notes += [f"{key[:_MAX_NOTE_LENGTH]}:{reason}" for reason in reasons]

    def _redacted(self, key: str, shown: str, value: Any, around: Mapping[Any, Any]) -> tuple[Any, bool]:
        """The new value of a key, and whether the key is to go."""
        action = self._redactor.action(key)
        if action in _SEARCHED or value is None:
            return self._searched(shown, value, action, 0), False
        if action == "drop":
            self._note(shown, "drop")
            return None, True
        if action == "pseudonymize":
            new = self._pseudonymized(value, key in _TYPED_IDS and _TYPED_IDS[key] not in around, 0)
            if new != value:
                self._note(shown, action)
            return new, False
        if _is_harmless(value, action) or value == self._redactor.settings.replacement:
            return value, False
        self._note(shown, "mask" if action == "mask" else "key")
        return self._redactor.settings.replacement, False

    def _searched(self, key: str, value: Any, action: Action, depth: int) -> Any:
        """The value, or a copy without the secrets in it."""
        self._left -= 1
        if isinstance(value, str):
            return self._text(key, value, action)
        if isinstance(value, (bytes, bytearray)):
            text, encoding = _decoded(value)
            cleaned = self._text(key, text, action)
            return value if cleaned == text else cleaned.encode(encoding, "replace")
        if not isinstance(value, (Mapping, list, tuple)):
            return value
        if depth >= _MAX_DEPTH or self._left < 0:
            self._note(key, "depth")
            return self._redactor.settings.replacement
        if isinstance(value, Mapping):
            return self._mapping(key, value, depth)
        items = [self._searched(key, item, action, depth + 1) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return items if isinstance(value, list) else tuple(items)

    def _text(self, key: str, text: str, action: Action) -> str:
        redactor = self._redactor
        if len(text) < redactor._shortest:
            return text
        patterns = redactor._certain if action == "ids" else redactor._certain + redactor._likely
        reasons: list[str] = []
        cleaned = redactor._clean(text, patterns, reasons)
        self._note(key, *reasons)
        return cleaned

    def _mapping(self, key: str, value: Mapping[Any, Any], depth: int) -> Mapping[Any, Any]:
        result: dict[Any, Any] = {}
        for inner, item in value.items():
            shown = self._key(inner)
            path = f"{key}.{shown}"
            name = inner if isinstance(inner, str) else shown
            if self._redactor.action(name) in _SEARCHED:
                new = self._searched(path, item, self._redactor.action(name), depth + 1)
            else:
                new, dropped = self._redacted(name, path, item, value)
                if dropped:
                    continue
            result[shown if isinstance(inner, str) else inner] = new
        same = len(result) == len(value) and all(
            inner in result and result[inner] is item for inner, item in value.items()
        )
        return value if same else result

    def _pseudonymized(self, value: Any, typed: bool, depth: int) -> Any:
        if depth >= _MAX_DEPTH:
            return self._redactor.settings.replacement
        if isinstance(value, Mapping):
            return {key: self._pseudonymized(item, typed, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._pseudonymized(item, typed, depth + 1) for item in value]
        text = text_of(value)
        if typed and ":" in text:
            kind, _, identifier = text.partition(":")
            return f"{kind}:{self._redactor._pseudonym(identifier)}"
        return self._redactor._pseudonym(text)


def _is_harmless(value: Any, action: Action) -> bool:
    """A secret is no truth value, and not empty; below a plural (``tokens``) a number is a count."""
    if action == "mask":
        return False
    if value is True or value is False or (isinstance(value, (str, bytes, list, dict)) and not value):
        return True
    return action == "secret_text" and isinstance(value, (int, float))


def _decoded(value: bytes | bytearray) -> tuple[str, str]:
    """The bytes as text, and the encoding that gives them back."""
    try:
        return value.decode(), "utf-8"
    except UnicodeDecodeError:
        return value.decode("latin-1"), "latin-1"


def _with_attributes(names: Sequence[str]) -> list[str]:
    """The names, and the attributes that those among them that are keywords of ``emit`` stand for."""
    return [*names, *(attribute for name in names for attribute in ATTRIBUTES_OF_KEYWORD.get(name, ()))]
