"""Find a question: by the beginning of its name, by a name that is near, or by words of what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from activitylog.exceptions import QueryError
from activitylog.queries.question import Question, near, questions

_WORD: Final = re.compile(r"\w+")
#: Words that say nothing of what is asked, and endings that hide that two words are one.
_EMPTY: Final = frozenset(
    _WORD.findall(
        "a an and are as at by did do does for from had has have how i in is it its many me much my of on or "
        "our show tell than that the their them there they this to was we were what when where which whom why "
        "with you"
    )
)
_ENDINGS: Final = ("ing", "ies", "ed", "es", "s", "ial", "al", "ure", "y", "e")
#: What fits much worse than the best is not found.
_LEAST_SHARE: Final = 0.3
#: What people say for what the questions say.
_SAME: Final[Mapping[str, tuple[str, ...]]] = {
    "who": ("actor",),
    "user": ("actor",),
    "person": ("actor",),
    "people": ("actor",),
    "customer": ("tenant",),
    "organisation": ("tenant",),
    "error": ("failure",),
    "forbidden": ("denied",),
    "latency": ("slow", "duration"),
    "churn": ("retention", "returning"),
    "disk": ("bytes", "storage"),
    "space": ("bytes", "storage"),
    "lost": ("missing", "gaps"),
    "missing": ("gaps",),
    "twice": ("duplicates",),
    "trend": ("grew", "series"),
    "spike": ("unusual", "anomalies"),
    "unusual": ("anomalies",),
    "conversion": ("funnel",),
    "quiet": ("silent",),
    "dau": ("daily", "active"),
    "mau": ("monthly", "active"),
}


def find(name: str) -> Question:
    """
    The question that a person means: the name itself, ``_`` for ``-``, or the beginning of one name only.

    Raises:
        QueryError: there is none, or there are several; with the names that are near or mean the same, or all.
    """
    known = questions()
    written = name.strip().lower().replace("_", "-")
    if written in known:
        return known[written]
    begin = [other for other in known if written and other.startswith(written)]
    if len(begin) == 1:
        return known[begin[0]]
    if begin:
        raise QueryError(f"{name!r} may be several questions.", hint=f"There are: {', '.join(begin)}.")
    words = [asked.name for asked in search(written.replace("-", " "))][:4]
    proposal = near(written, known) or (f"Did you mean {' or '.join(words)}? " if words else "")
    raise QueryError(f"There is no question {name!r}.", hint=proposal + f"There are: {', '.join(known)}.")


def search(words: str) -> list[Question]:
    """
    The questions that answer what is asked in these words, the best first.

    A word counts most in a name, then in a title, then in what the question answers; rare words count more. What
    is found nowhere is left aside, so a whole sentence may be given.

    Args:
        words: such as ``who was denied`` or ``Which actors failed most yesterday?``.
    """
    known = questions().values()
    texts = {question.name: _weights(question) for question in known}
    worth = {word: _worth(word, texts) for word in _stems(words, wide=True)}
    score = {
        name: sum(worth[word] * weight for word, weight in weights.items() if word in worth)
        for name, weights in texts.items()
    }
    least = max(score.values()) * _LEAST_SHARE
    found = [question for question in known if score[question.name] > 0 and score[question.name] >= least]
    return sorted(found, key=lambda question: (-score[question.name], question.name))


def _worth(word: str, texts: Mapping[str, Mapping[str, int]]) -> float:
    return 1 / (1 + sum(word in weights for weights in texts.values()))


def _weights(question: Question) -> dict[str, int]:
    weights: dict[str, int] = {}
    columns = f"{question.group} {question.x} {question.y}"
    for text, weight in ((columns, 1), (question.answers, 2), (question.title, 3), (question.name, 4)):
        for word in _stems(text.replace("-", " ")):
            weights[word] = weight
    return weights


def _stems(text: str, *, wide: bool = False) -> set[str]:
    """The words that say something, without their endings; ``wide``: and those that mean the same."""
    words = [word for word in _WORD.findall(text.lower()) if word not in _EMPTY]
    stems = {_stem(word) for word in words}
    if wide:
        same = {_stem(word): others for word, others in _SAME.items()}
        stems |= {_stem(other) for stem in set(stems) for other in same.get(stem, ())}
    return stems


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return _stem(word.removesuffix(ending))
    return word
