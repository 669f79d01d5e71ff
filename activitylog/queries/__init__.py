"""
Named questions to the store: one SQL file each in ``sql/``, with a head that says what it answers, with which
parameters, and what that costs. ``question`` reads the files, ``search`` finds one, ``explain`` tells what it
would read, ``ask`` asks it. ``verify`` asks whether everything is there, once, and ``sentences`` says it in words.
"""

from activitylog.queries.ask import Result, ask, ask_arrow, ask_frame
from activitylog.queries.explain import Estimate, client_command, estimate
from activitylog.queries.question import GROUPS, Parameter, Question, question, questions
from activitylog.queries.removals import Removal
from activitylog.queries.search import find, search
from activitylog.queries.verdict import sentences
from activitylog.queries.verification import ProducerFound, Verification, verify

__all__ = [
    "GROUPS",
    "Estimate",
    "Parameter",
    "ProducerFound",
    "Question",
    "Removal",
    "Result",
    "Verification",
    "ask",
    "ask_arrow",
    "ask_frame",
    "client_command",
    "estimate",
    "find",
    "question",
    "questions",
    "search",
    "sentences",
    "verify",
]
