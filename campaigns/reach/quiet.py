"""Quiet hours: nobody is written to at night, as the clock on the person's wall has it."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.models import SendingPolicy


def is_quiet(moment: datetime, zone: ZoneInfo, policy: SendingPolicy) -> bool:
    """Tell whether a moment lies in the quiet hours of a zone; equal ends mean that there are none."""
    return _within(moment.astimezone(zone).time(), policy.quiet_from, policy.quiet_until)


def allowed_from(moment: datetime, zone: ZoneInfo, policy: SendingPolicy) -> datetime:
    """Return the moment itself, or the end of the quiet hours that it lies in."""
    if not is_quiet(moment, zone, policy):
        return moment
    local = moment.astimezone(zone)
    end = local.replace(
        hour=policy.quiet_until.hour, minute=policy.quiet_until.minute, second=policy.quiet_until.second, microsecond=0
    )
    if end <= local:
        end += timedelta(days=1)  # on the wall: a night in which clocks change is longer or shorter
    return end.astimezone(moment.tzinfo)


def _within(at: time, begins: time, ends: time) -> bool:
    if begins <= ends:
        return begins <= at < ends
    return at >= begins or at < ends
