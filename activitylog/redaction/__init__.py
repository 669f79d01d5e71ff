"""Which values never leave the process: by the names of their keys, by what they look like, and on request."""

from activitylog.redaction.redactor import REDACTED, Redactor
from activitylog.redaction.settings import RedactionKey, RedactionSettings, parse_redaction

__all__ = ["REDACTED", "RedactionKey", "RedactionSettings", "Redactor", "parse_redaction"]
