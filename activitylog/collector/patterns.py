"""
Regular expressions of a configuration, tried on names of ours.

The Collector's are Go's, which take linear time; Python's may take for ever. What is not the same to both, or may
take long here, is not tried.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Final

from activitylog.collector.value import NotJudged, Setting

_LONGEST: Final = 1000
#: Ways to try at each place of a name.
_MOST_WAYS: Final = 50_000
_WAYS_OF_A_REPETITION: Final = 30
#: Classes and escapes that Python has not, or takes for something else.
_OF_GO_ONLY: Final = re.compile(r"\\[pPzQEC]|\[\[:")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_TOKEN: Final = re.compile(r"\\.|\(\?[a-zA-Z-]*:|\(\?P?<[a-zA-Z_0-9]+>|\(\?|[*+?{|()]", re.DOTALL)


def found_by(setting: Setting, pattern: str, names: Iterable[str]) -> list[str]:
    """
    The names that a regular expression finds.

    Raises:
        NotJudged: it is none to Python, means something else to it, or may take too long.
    """
    if _OF_GO_ONLY.search(pattern) or not _is_quick(pattern):
        raise NotJudged(setting, "its pattern cannot be tried here")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        raise NotJudged(setting, "its pattern cannot be tried here") from None
    return [name for name in names if expression.search(name)]


def _is_quick(pattern: str) -> bool:
    """Whether trying it ends soon: nothing that has choices is repeated, and there are few choices in all."""
    if len(pattern) > _LONGEST:
        return False
    simple = _CLASS.sub("x", pattern)
    open_groups = [1]
    for token in _TOKEN.finditer(simple):
        text = token[0]
        if text.startswith("("):
            open_groups.append(1)
        elif text == "|":
            open_groups[-1] += 1
        elif text == ")":
            inner = open_groups.pop() if len(open_groups) > 1 else 1
            following = simple[token.end() : token.end() + 1]
            if inner > 1 and following in ("*", "+", "{"):
                return False
            open_groups[-1] *= inner
        elif text in ("*", "+", "{", "?"):
            times = 2 if text == "?" else _WAYS_OF_A_REPETITION
            open_groups[-1] *= times
        if max(open_groups) > _MOST_WAYS:
            return False
    return True
