"""
English verbs, as far as the texts of activity logs use them: which words are verbs, and their past participles.

Words that are nouns first in such texts (message, comment, report, post, order, email) are left out:
"SEND_MESSAGE" has one verb.
"""

from __future__ import annotations

from typing import Final

_IRREGULAR: Final = {
    "ban": "banned",
    "become": "become",
    "begin": "begun",
    "buy": "bought",
    "choose": "chosen",
    "checkin": "checked_in",
    "checkout": "checked_out",
    "control": "controlled",
    "cut": "cut",
    "do": "done",
    "drop": "dropped",
    "find": "found",
    "forget": "forgotten",
    "forward": "forwarded",
    "get": "gotten",
    "give": "given",
    "hide": "hidden",
    "keep": "kept",
    "leave": "left",
    "log": "logged",
    "login": "logged_in",
    "logon": "logged_in",
    "logout": "logged_out",
    "logoff": "logged_out",
    "lose": "lost",
    "make": "made",
    "map": "mapped",
    "pay": "paid",
    "pin": "pinned",
    "put": "put",
    "quit": "quit",
    "read": "read",
    "refer": "referred",
    "resend": "resent",
    "reset": "reset",
    "rewrite": "rewritten",
    "rollback": "rolled_back",
    "rerun": "rerun",
    "run": "run",
    "scan": "scanned",
    "sell": "sold",
    "send": "sent",
    "set": "set",
    "ship": "shipped",
    "shut": "shut",
    "signin": "signed_in",
    "signout": "signed_out",
    "signup": "signed_up",
    "skip": "skipped",
    "split": "split",
    "stop": "stopped",
    "submit": "submitted",
    "swap": "swapped",
    "tag": "tagged",
    "take": "taken",
    "transfer": "transferred",
    "unban": "unbanned",
    "undo": "undone",
    "unpin": "unpinned",
    "unset": "unset",
    "withdraw": "withdrawn",
    "write": "written",
}
_REGULAR: Final = (
    "abort accept access acknowledge activate add allow apply approve archive assign attach authenticate "
    "authorise authorize block browse call cancel change check clear click clone close complete compute "
    "confirm connect convert copy create deactivate decline delete deliver demote deny deploy detach "
    "disable disconnect dismiss display downgrade download duplicate edit enable encrypt end enroll enter "
    "escalate execute exit expire export fail fetch finish fix flag follow generate grant handle "
    "impersonate import index insert install invite issue join kick launch like list load lock mark merge "
    "migrate modify move mute notify open optimize pause perform prepare print process promote publish "
    "pull purchase purge push raise rate receive recover refresh refund refuse register reject release "
    "reload remove rename renew reopen repair replace replicate reply request reschedule resolve restart "
    "restore resume retrieve retry return revert revoke rotate save schedule search select share show "
    "sign start store subscribe suspend sync terminate touch trash trigger unarchive unassign unblock "
    "unflag unfollow uninstall unlink unlock unmute unpublish unsubscribe unsuspend update upgrade upload "
    "use validate verify view visit vote warn"
)
#: Words that end like participles and are none.
_NO_PARTICIPLES: Final = frozenset(
    {"embed", "exceed", "hundred", "indeed", "naked", "proceed", "sacred", "speed", "succeed"}
)
#: What may follow a verb as a part of it: logged in, signed up.
PARTICLES: Final = frozenset({"back", "down", "in", "off", "on", "out", "over", "up"})
#: What may stand before a verb as a part of it: bulk activate.
ADVERBS: Final = frozenset({"auto", "automatically", "batch", "bulk", "mass", "force", "soft", "hard"})


def participle(verb: str) -> str:
    """The past participle of a base form."""
    irregular = _IRREGULAR.get(verb)
    if irregular:
        return irregular
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}ed"


#: Base form -> past participle.
PARTICIPLES: Final = {verb: participle(verb) for verb in (*_IRREGULAR, *_REGULAR.split())}
#: What is both, such as read and reset, tells nothing by its form.
_ARE_PARTICIPLES: Final = frozenset(participle for verb, participle in PARTICIPLES.items() if verb != participle)
_SHORTEST: Final = 5


def is_participle(word: str) -> bool:
    """Whether a word is a past participle, as far as its form tells."""
    if word in _ARE_PARTICIPLES:
        return True
    return word.endswith("ed") and len(word) >= _SHORTEST and word not in _NO_PARTICIPLES
