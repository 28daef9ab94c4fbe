"""What the log may carry: every record of this process is redacted when it is made, whoever made it.

A filter would have to hang on every handler, and servers bring their own. The factory of records stands before all of
them: Django's, Celery's, gunicorn's and ours.
"""

import logging
import sys
import threading
from logging.config import dictConfig
from types import TracebackType
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from crm.redaction import ExceptionInfo, redacted, redacted_error, redacted_traceback


def configure(settings: dict[str, Any]) -> None:
    """Set logging up: Django calls this before anything else (``LOGGING_CONFIG``)."""
    logging.setLogRecordFactory(private_record)
    sys.excepthook = _say
    threading.excepthook = lambda failed: _say(failed.exc_type, failed.exc_value, failed.exc_traceback)
    dictConfig(settings)


def private_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Return a record without personal data in its message and its traceback."""
    made = logging.LogRecord(*args, **kwargs)
    clean = redacted_error if made.name.startswith("celery") or made.exc_info else redacted
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
        where = redacted(f"{self.request.method} {self.request.path}") if self.request else "No request"
        error: ExceptionInfo = (self.exc_type, self.exc_value, self.tb)
        return f"{where}\n\n{redacted_traceback(error) if self.exc_type else ''}"

    def get_traceback_html(self) -> SafeString:
        if not self.is_email:
            return super().get_traceback_html()
        return format_html("<pre>{}</pre>", self.get_traceback_text())
