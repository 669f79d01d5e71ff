"""
Event names from the texts by which an old table called its actions.

``LOGIN``, ``message_sent``, ``Message Sent``, ``SEND_MESSAGE`` and ``user.activated`` become ``user.logged_in``,
``message.sent`` (three times) and ``user.activated``. The rule is made for being read over, not for being right
about English: every name can be set, and :func:`named` lists what becomes of each text before anything is written.
A text always becomes the same name, whatever else the row has, and a valid one.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from activitylog.event import EVENT_NAME_PATTERN, EVENT_NAME_RULE, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.django.moving_in.verbs import ADVERBS, PARTICIPLES, PARTICLES, is_participle

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD: Final = re.compile(r"[a-z0-9]+")
_SEPARATOR: Final = re.compile(r"[.:/]+")
_GLOB: Final = re.compile(r"[*?\[]")
_DIGITS_OF_HASH: Final = 8
_LONGEST_TEXT: Final = 4096
_CACHED: Final = 4096
#: Words that end the name of a table and say nothing of what it holds.
_OF_TABLES: Final = frozenset(
    {"entries", "entry", "event", "events", "history", "log", "logs", "record", "records"}
)
_SPECIAL: Final[Mapping[tuple[str, ...], str]] = {
    ("login", "failed"): "user.login_failed",
    ("login", "failure"): "user.login_failed",
    ("login", "fail"): "user.login_failed",
    ("login", "success"): "user.logged_in",
    ("login", "successful"): "user.logged_in",
    ("login", "succeeded"): "user.logged_in",
    ("failed", "login"): "user.login_failed",
    ("successful", "login"): "user.logged_in",
    ("user", "login", "failed"): "user.login_failed",
}
#: Verbs whose noun goes without saying.
_OF_USERS: Final = frozenset({"logged_in", "logged_out", "signed_in", "signed_out", "signed_up", "registered"})


class EventNames:
    """
    Text of an action -> event name.

    Args:
        table: names for texts, which win over the rule. A text is matched as it is, else as a glob
            (``"User * logged in"``), the first one first.
        noun: what was acted upon where a text names only a verb: ``CREATE`` is ``<noun>.created``.

    Raises:
        ConfigurationError: a name of the table is none.
    """

    def __init__(self, table: Mapping[str, str] | None = None, noun: str = "activity") -> None:
        self._table = dict(table or {})
        for text, name in self._table.items():
            if not _is_name(name):
                raise ConfigurationError(
                    f"names: {shown(name)}, for the action {shown(text)}, is no event name.",
                    hint=f"Write {EVENT_NAME_RULE}.",
                )
        self._globs = [(text, name) for text, name in self._table.items() if _GLOB.search(text)]
        self._noun = noun
        self._name = functools.lru_cache(maxsize=_CACHED)(self._named)

    def __call__(self, text: str) -> str:
        """The name of an action by its text, as :func:`action_text` gives it. Never raises."""
        return self._name(text[:_LONGEST_TEXT])

    def is_set(self, text: str) -> bool:
        """Whether the table has it, rather than the rule."""
        return self._of_table(text) is not None

    def _named(self, text: str) -> str:
        return self._of_table(text) or normalised(text, self._noun)

    def _of_table(self, text: str) -> str | None:
        found = self._table.get(text)
        if found is None and self._globs:
            found = next((name for glob, name in self._globs if fnmatchcase(text, glob)), None)
        return found


def action_text(value: Any, labels: Mapping[Any, Any] | None = None) -> str:
    """
    What an action is called: a member of an enumeration by its value, a number by the label of the field's choice.

    Args:
        labels: of the field's choices, by value.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None:
        return ""
    if type(value) is not str and labels and (label := labels.get(value)) is not None:
        value = label
    return str(value).strip()


def normalised(text: str, noun: str = "activity") -> str:
    """
    A valid event name for any text.

    Args:
        noun: see :class:`EventNames`.
    """
    if _is_name(text) and PARTICIPLES.get(text.rpartition(".")[2], text) == text:
        return text
    name = _from_parts(text) or _from_words(_words(text), noun) or f"{noun}.action_{_digest(text)}"
    if not text.strip():
        name = f"{noun}.logged"
    if len(name) > MAX_EVENT_NAME_LENGTH:
        name = f"{name[: MAX_EVENT_NAME_LENGTH - _DIGITS_OF_HASH - 1]}_{_digest(text)}"
    return name if _is_name(name) else f"activity.action_{_digest(text)}"


def noun_of(class_name: str, otherwise: str = "activity") -> str:
    """What a table is about, by the name of its class: ``ActivityLog`` is about ``activity``."""
    words = _words(class_name)
    while len(words) > 1 and words[-1] in _OF_TABLES:
        words.pop()
    name = "_".join(words)
    return name if name[:1].isalpha() else otherwise


@dataclass(frozen=True, slots=True)
class NamedAction:
    """
    What becomes of one action.

    Attributes:
        action: its text in the old table.
        rows: that have it.
        event: the event's name.
        note: what somebody should look at; empty when nothing.
    """

    action: str
    rows: int
    event: str
    note: str = ""


def named(actions: Iterable[tuple[str, int]], names: EventNames) -> list[NamedAction]:
    """
    List what becomes of each action, the most frequent first.

    Noted are actions that share a name without the table saying so, and texts in which no verb was found.
    """
    found: dict[str, int] = defaultdict(int)
    for text, rows in actions:
        found[text] += rows
    sharing: dict[str, list[str]] = defaultdict(list)
    for text in found:
        sharing[names(text)].append(text)
    return [
        NamedAction(text, rows, names(text), _note(text, names, sharing[names(text)]))
        for text, rows in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def _note(text: str, names: EventNames, sharing: list[str]) -> str:
    if names.is_set(text):
        return ""
    notes = []
    others = [repr(other) for other in sharing if other != text]
    if others:
        notes.append(f"same name as {', '.join(others[:3])}{' and others' if len(others) > 3 else ''}")
    if not any(character.isascii() and character.isalnum() for character in _ascii(text)):
        notes.append("no name can be made of it" if text else "no text")
    elif not _has_verb(names(text)):
        notes.append("no verb found")
    return "; ".join(notes)


def _has_verb(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last in _PARTICIPLES or any(is_participle(word) for word in last.split("_"))


_PARTICIPLES: Final = frozenset(PARTICIPLES.values())


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and len(name) <= MAX_EVENT_NAME_LENGTH
        and EVENT_NAME_PATTERN.fullmatch(name) is not None
    )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGITS_OF_HASH // 2).hexdigest()


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _words(text: str) -> list[str]:
    return _WORD.findall(_CAMEL.sub(" ", _ascii(text)).lower())


def _from_parts(text: str) -> str:
    """A text that has parts already, such as ``user.activate`` or ``orders/cancelled``; else empty."""
    if any(character.isspace() for character in text.strip()):
        return ""
    parts = ["_".join(words) for part in _SEPARATOR.split(text) if (words := _words(part))]
    if len(parts) < 2 or not parts[0][0].isalpha():
        return ""
    parts[-1] = PARTICIPLES.get(parts[-1], parts[-1])
    return ".".join(parts)


def _from_words(words: list[str], noun: str) -> str:
    if not words:
        return ""
    special = _SPECIAL.get(tuple(words))
    if special:
        return special
    of, verb = _parted(words)
    if not verb:
        return f"{noun}.{'_'.join(words)}"
    if not of:
        return f"{'user' if verb in _OF_USERS else noun}.{verb}"
    name = "_".join(of)
    return f"{name}.{verb}" if name[0].isalpha() else f"{noun}.{name}_{verb}"


def _parted(words: list[str]) -> tuple[list[str], str]:
    """Noun and verb; the verb is empty when none was found."""
    middle = next((place for place in range(1, len(words)) if is_participle(words[place])), None)
    if middle is not None:  # message sent, user logged in, file shared with team
        while middle > 0 and words[middle - 1] in ADVERBS:
            middle -= 1
        return words[:middle], "_".join(words[middle:])
    return _verb_first(words) or _verb_last(words) or (words, "")


def _verb_first(words: list[str]) -> tuple[list[str], str] | None:
    """Send message, bulk activate users, updated profile."""
    at = 1 if len(words) > 1 and words[0] in ADVERBS else 0
    if words[at] not in PARTICIPLES and not is_participle(words[at]):
        return None
    end = at + 2 if words[at + 1 : at + 2] and words[at + 1] in PARTICLES else at + 1
    return words[end:], "_".join([*words[:at], PARTICIPLES.get(words[at], words[at]), *words[at + 1 : end]])


def _verb_last(words: list[str]) -> tuple[list[str], str] | None:
    """Profile update, user bulk activate, user log in."""
    if words[-1] in PARTICLES and len(words) > 2 and words[-2] in PARTICIPLES:
        return words[:-2], f"{PARTICIPLES[words[-2]]}_{words[-1]}"
    if words[-1] not in PARTICIPLES:
        return None
    start = len(words) - 1
    while start > 1 and words[start - 1] in ADVERBS:
        start -= 1
    return words[:start], "_".join([*words[start:-1], PARTICIPLES[words[-1]]])
