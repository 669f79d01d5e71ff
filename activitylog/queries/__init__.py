"""
Named questions to the store: one SQL file each in ``sql/``, with a head that says what it answers and with which
parameters. ``question`` reads the files, ``ask`` runs one.
"""

from activitylog.queries.ask import Result, ask
from activitylog.queries.question import Parameter, Question, question, questions

__all__ = ["Parameter", "Question", "Result", "ask", "question", "questions"]
