"""The database backend that the settings name: Django loads this module by its name."""

from select import POLLIN, poll
from time import monotonic
from typing import Final

from django.db.backends.postgresql import base

TRUSTED: Final = 10.0  # seconds; a firewall or balancer that forgets connections takes minutes


class DatabaseWrapper(base.DatabaseWrapper):
    """A kept connection that answered a moment ago, and has had nothing to say since, is not asked again.

    Django asks ``SELECT 1`` before the first statement of each request: the server may have ended the connection
    meanwhile (CONN_HEALTH_CHECKS). A server that ends one says so, and then there is something to read; one that
    cannot say it any more is found out by asking, when the last answer is ``TRUSTED`` ago.
    """

    answered_at = float("-inf")  # by ``monotonic``

    def is_usable(self) -> bool:
        if self.connection is None:
            return False
        now = monotonic()
        if not self.errors_occurred and now - self.answered_at < TRUSTED and self._is_quiet():
            return True
        usable: bool = super().is_usable()
        self.answered_at = now if usable else float("-inf")
        return usable

    def _is_quiet(self) -> bool:
        try:
            watched = poll()
            watched.register(self.connection.fileno(), POLLIN)
        except (self.Database.Error, ValueError):  # closed on this side
            return False
        return not watched.poll(0)
