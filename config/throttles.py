"""How often each caller may ask; the rates are settings, the counters lie in the cache that all processes share."""

import logging
import time
from math import ceil
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from crm.api.access import Caller

if TYPE_CHECKING:  # Django REST framework loads this module by name while it is loading its views
    from rest_framework.views import APIView

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}

logger = logging.getLogger(__name__)


class CallerThrottle(BaseThrottle):
    """A number of requests in each window of the clock, for each client and for each person's browser.

    Django REST framework's own throttle keeps the time of every request in one cached list, read and written back
    each time: at a hundred requests a second that is a list of thousands, and two processes lose each other's.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        caller = request.auth
        if not isinstance(caller, Caller):  # nobody: whatever the address answers, it needed no token
            return True
        name = f"person.{caller.profile_id}" if caller.is_person else f"client.{caller.client_id}"
        return self.counts("person" if caller.is_person else "client", name)

    def wait(self) -> float | None:
        return self.seconds_left

    def counts(self, scope: str, name: str) -> bool:
        """Count one request; False, with the seconds to wait, if the window's number is used up."""
        most, seconds = rate(scope)
        window, passed = divmod(time.time(), seconds)
        self.seconds_left = float(ceil(seconds - passed))
        key = f"throttle.{scope}.{name}.{int(window)}"
        try:
            return _counted(key, timeout=seconds + 1) <= most
        except (RedisError, ValueError) as error:  # ValueError: the counter was evicted between two commands
            logger.warning("Requests are not counted, the cache does not answer: %s", error)
            return True


def _counted(key: str, *, timeout: int) -> int:
    """Return how often this was counted, with this time."""
    try:
        return int(cache.incr(key))
    except ValueError:  # the first of the window, unless another process was faster
        return 1 if cache.add(key, 1, timeout=timeout) else int(cache.incr(key))


def rate(scope: str) -> tuple[int, int]:
    """Return how many requests a scope allows in how many seconds, from a setting like ``600/minute``."""
    most, _slash, period = str(api_settings.DEFAULT_THROTTLE_RATES[scope]).partition("/")
    return int(most), SECONDS[period]


class AddressThrottle(CallerThrottle):
    """The same for those who have no token yet and ask for one, by their network address."""

    def allow_request(self, request: HttpRequest, view: object = None) -> bool:
        return self.counts("token", self.get_ident(Request(request)))
