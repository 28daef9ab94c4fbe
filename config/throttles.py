"""How often each caller may ask; the rates are settings, the counters lie in the cache that all processes share."""

import time
from typing import TYPE_CHECKING

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from crm import rates
from crm.api.access import Caller

if TYPE_CHECKING:  # Django REST framework loads this module by name while it is loading its views
    from rest_framework.views import APIView


class CallerThrottle(BaseThrottle):
    """A number of requests in each window of the clock, for each client and for each person's browser.

    Django REST framework's own throttle keeps the time of every request in one cached list, read and written back
    each time: at a hundred requests a second that is a list of thousands, and two processes lose each other's.
    """

    seconds_left: int | None = None

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
        rate = str(api_settings.DEFAULT_THROTTLE_RATES[scope])
        self.seconds_left = rates.count(f"{scope}.{name}", rate, time.time())
        return self.seconds_left is None


class AddressThrottle(CallerThrottle):
    """The same for those who have no token yet and ask for one, by their network address."""

    def allow_request(self, request: HttpRequest, view: object = None) -> bool:
        return self.counts("token", self.get_ident(Request(request)))
