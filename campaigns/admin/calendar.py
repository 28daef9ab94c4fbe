"""The calendar of campaigns, a month a page."""

from datetime import date

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from campaigns.models import Campaign
from campaigns.reach import policies
from campaigns.runs import calendars


@require_GET
def calendar_view(request: HttpRequest) -> HttpResponse:
    """Show a month, ``?month=2026-05``; without one, or with nonsense, this one."""
    if not request.user.has_perm("campaigns.view_campaign"):
        raise PermissionDenied
    now, policy, zone = timezone.now(), policies.policy(), get_default_timezone()
    first = asked(request.GET.get("month", ""), now.astimezone(zone).date())
    month = calendars.month(first, policy, zone, now)
    context = {
        **admin.site.each_context(request),
        "title": gettext("Calendar of campaigns"),
        "opts": Campaign._meta,
        "month": month,
        "name": date_format(month.first, "YEAR_MONTH_FORMAT"),
        "weekdays": [WEEKDAYS_ABBR[day] for day in range(7)],
        "policy": policy,
    }
    return TemplateResponse(request, "zhiyin/campaign/calendar.html", context)


def asked(told: str, today: date) -> date:
    """Return the first of a month that somebody names.

    >>> asked("2026-05", date(2026, 1, 31)), asked("9999-99", date(2026, 1, 31)), asked("0001-01", date(2026, 1, 31))
    (datetime.date(2026, 5, 1), datetime.date(2026, 1, 1), datetime.date(2026, 1, 1))
    """
    try:
        found = date.fromisoformat(f"{told}-01")
    except ValueError:
        return today.replace(day=1)
    return found if 2000 <= found.year <= 2200 else today.replace(day=1)
