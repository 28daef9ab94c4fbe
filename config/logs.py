"""What the log may carry: every record of this process is redacted when it is made, whoever made it.

A filter would have to hang on every handler, and servers bring their own. The factory of records stands before all of
them: Django's, Celery's, gunicorn's and ours.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterator
from functools import cache
from logging.config import dictConfig
from types import TracebackType
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.urls import get_resolver
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from crm.masks import HIDDEN
from crm.redaction import ExceptionInfo, redacted, redacted_error, redacted_traceback

# Their messages quote what was sent: a task's error, a request that is none.
QUOTING = ("celery", "gunicorn")
ROW_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


def configure(settings: dict[str, Any]) -> None:
    """Set logging up: Django calls this before anything else (``LOGGING_CONFIG``)."""
    logging.setLogRecordFactory(private_record)
    sys.excepthook = _say
    threading.excepthook = lambda failed: _say(failed.exc_type, failed.exc_value, failed.exc_traceback)
    dictConfig(settings)


def private_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Return a record without personal data in its message and its traceback."""
    made = logging.LogRecord(*args, **kwargs)
    if made.name == "django.request" and isinstance(made.args, tuple):
        made.args = tuple(known_path(one) if isinstance(one, str) and one[:1] == "/" else one for one in made.args)
    clean = redacted_error if made.name.startswith(QUOTING) or made.exc_info else redacted
    made.msg, made.args = clean(_message(made)), None
    if made.exc_info:
        made.exc_text = redacted_traceback(made.exc_info)  # formatters take this where it is there
    if made.stack_info:
        made.stack_info = redacted_error(made.stack_info)
    return made


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit: logging itself would print them all
        return str(record.msg)


def known_path(path: str) -> str:
    """Return the path of a request with what is no word of our own addresses hidden: people type names there."""
    known = _words(settings.ROOT_URLCONF)
    return "/".join(one if one in known or ROW_NUMBER.fullmatch(one) else HIDDEN for one in path[:2048].split("/"))


@cache
def _words(urlconf: str) -> frozenset[str]:
    try:
        return frozenset({""} | set(_parts(get_resolver(urlconf).url_patterns)))
    except (ImportError, ImproperlyConfigured):
        return frozenset({""})


def _parts(patterns: Any) -> Iterator[str]:
    for one in patterns:
        yield from re.findall(r"[A-Za-z][\w.-]*", re.sub(r"<[^>]*>", "", str(one.pattern)))
        yield from _parts(getattr(one, "url_patterns", ()))


def _say(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.stderr.write(redacted_traceback((kind, error, trace)) + "\n")


class PrivateReporter(ExceptionReporter):
    """Reports an error by mail without the request's data, cookies and settings, and without any variable's value.

    On the developer's own screen (DEBUG) Django shows everything; nothing of that is kept or sent.
    """

    is_email: bool
    request: HttpRequest | None

    def get_traceback_text(self) -> str:  # type: ignore[override]  # plain text is not safe HTML: it is escaped below
        if not self.is_email:
            return super().get_traceback_text()
        where = f"{self.request.method} {known_path(self.request.path)}" if self.request else "No request"
        error: ExceptionInfo = (self.exc_type, self.exc_value, self.tb)
        return f"{where}\n\n{redacted_traceback(error) if self.exc_type else ''}"

    def get_traceback_html(self) -> SafeString:
        if not self.is_email:
            return super().get_traceback_html()
        return format_html("<pre>{}</pre>", self.get_traceback_text())
