"""
A request's session, looked at without a trace.

Whoever uses a session makes the answer depend on it: Django adds ``Vary: Cookie``, and removes the cookie of a
session that is over. An event that wants to know who asks uses a copy, and gives the session what the copy has
loaded.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

_SALT: Final = "activitylog.session"
_DIGITS: Final = 32


def session_id(request: HttpRequest) -> str | None:
    """
    An id of the session that gives nobody access to it: 32 hexadecimal digits, the same for the whole session.

    None where there is no session. Its key is read, which neither loads the session nor creates one.
    """
    key = getattr(getattr(request, "session", None), "session_key", None)
    if not key:
        return None
    return str(salted_hmac(_SALT, key, algorithm="sha256").hexdigest()[:_DIGITS])


class Peeked:
    """
    A request with a copy of another one's session, on which nothing is changed.

    Attributes:
        session: the copy.
        changed: somebody wanted to end the session, or to give it another key.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.changed = False
        self._original: Any = request.session
        self.session: Any = copy.copy(self._original)
        loaded = vars(self._original).get(_CACHE)
        if loaded is not None:
            vars(self.session)[_CACHE] = dict(loaded)
        vars(self.session).update(flush=self._refuse, cycle_key=self._refuse)

    def _refuse(self) -> None:
        self.changed = True

    def settle(self) -> bool:
        """Give the session what was loaded, so that nobody loads it again; False where whoever uses it must."""
        if self.changed or self.session.session_key is None:
            return False
        loaded = vars(self.session).get(_CACHE)
        if loaded is not None:
            vars(self._original).setdefault(_CACHE, loaded)
        return True


#: Where Django's sessions have what they loaded.
_CACHE: Final = "_session_cache"
