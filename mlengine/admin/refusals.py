"""Why a model could not learn, kept in English with its job, in the reader's language."""

import re

from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _

# The sentence of ``backtest.Extent.refuse_unless_enough``.
TOO_FEW = re.compile(r"(?P<model>.+): not enough to learn from until (?P<day>[\d-]+): (?P<missing>.+)\.")
ONE = re.compile(
    r"(?P<there>-?[\d,]+) (?:(?P<events>events)|(?P<history>days of history)"
    r"|people active in the (?P<days>\d+) days before), (?P<least>[\d,]+) needed"
)


def refusal_text(error: str) -> str:
    """Return what is missing, how much there is and how much it takes; whatever else an error says, as it stands."""
    found = TOO_FEW.fullmatch(error)
    missing = [ONE.fullmatch(one) for one in found["missing"].split("; ")] if found else []
    day = parse_date(found["day"]) if found else None
    if found is None or day is None or None in missing:
        return error
    said = {"model": _(found["model"]), "day": date_format(day, "DATE_FORMAT")}
    told = [_missing(one) for one in missing if one]
    return _("%(model)s: not enough to learn from until %(day)s.") % said + " " + " ".join(told)


def _missing(one: re.Match[str]) -> str:
    if one["events"]:
        said = _("%(least)s events are needed, there are %(there)s.")
    elif one["history"]:
        said = _("%(least)s days of history are needed, there are %(there)s.")
    else:
        said = _("%(least)s people active in the %(days)s days before are needed, there are %(there)s.")
    return said % one.groupdict()
