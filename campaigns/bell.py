"""The bell: after a commit that made something due it calls a worker, and never fails what was committed."""

import logging

from celery import current_app
from django.core.cache import cache

log = logging.getLogger(__name__)

TASK = "campaigns.tasks.send"
RUNG = "zhiyin:send:bell"
REPORT = "campaigns.tasks.count_report"
REPORT_SECONDS = 60  # a worker was called for this report: who asks for it again does not call another
FORGOTTEN_SECONDS = 5  # a task that was lost with its worker must not keep the bell silent


def ring() -> None:
    """Call a sender, unless one was called and has not begun; beat calls as well, so nothing is lost unheard."""
    try:
        if cache.add(RUNG, 1, timeout=FORGOTTEN_SECONDS):
            current_app.send_task(TASK, queue="send", expires=60, retry=False)
    except Exception:  # whatever cache and broker raise: the commit stands
        log.warning("The senders' bell could not be rung; beat will call them.", exc_info=True)


def answer() -> None:
    """Let the bell ring again."""
    try:
        cache.delete(RUNG)
    except Exception:
        log.warning("The senders' bell could not be reset; it forgets by itself.", exc_info=True)


def count(pk: int) -> None:
    """Have a worker bring a campaign's report up to date, unless one was called within a minute."""
    try:
        if cache.add(f"zhiyin:report:{pk}", 1, timeout=REPORT_SECONDS):
            current_app.send_task(REPORT, [pk], expires=REPORT_SECONDS, retry=False)
    except Exception:  # as above; beat counts as well
        log.warning("Nobody could be called to count a report; beat will.", exc_info=True)
