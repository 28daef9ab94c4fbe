"""Why a model could not learn, kept in English with its job, in the reader's language."""

import re

from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.models import Event
from mlengine.admin.refusal_words import OF_PURCHASES, SENTENCES
from mlengine.admin.words import spec_title

# The sentence of ``backtest.Extent.refuse_unless_enough``.
TOO_FEW = re.compile(r"(?P<model>.+): not enough to learn from until (?P<day>[\d-]+): (?P<missing>.+)\.")
ONE = re.compile(
    r"(?P<there>-?[\d,]+) (?:(?P<events>events)|(?P<history>days of history)"
    r"|people active in the (?P<days>\d+) days before), (?P<least>[\d,]+) needed"
)

# That of ``Recommendations``.
TOO_FEW_PURCHASES = re.compile(r"Recommendations need at least (?P<missing>.+)\.")
ONE_OF_PURCHASES = re.compile(rf"(?P<least>\d+) (?P<what>{'|'.join(OF_PURCHASES)}) \(there are (?P<there>\d+)\)")


def refusal_text(error: str) -> str:
    """Return what is missing, how much there is and how much it takes; whatever else an error says, as it stands."""
    return told(error) or error


def told(error: str) -> str:
    """Return the same of an error that is known, and nothing of others."""
    return _of_extent(error) or _of_purchases(error) or _sentence(error)


def _of_extent(error: str) -> str:
    found = TOO_FEW.fullmatch(error)
    missing = [ONE.fullmatch(one) for one in found["missing"].split("; ")] if found else []
    day = parse_date(found["day"]) if found else None
    if found is None or day is None or None in missing:
        return ""
    said = {"model": _(found["model"]), "day": date_format(day, "DATE_FORMAT")}
    return " ".join(
        [_("%(model)s: not enough to learn from until %(day)s.") % said, *map(_missing, filter(None, missing))]
    )


def _missing(one: re.Match[str]) -> str:
    if one["events"]:
        said = _("%(least)s events are needed, there are %(there)s.")
    elif one["history"]:
        said = _("%(least)s days of history are needed, there are %(there)s.")
    else:
        said = _("%(least)s people active in the %(days)s days before are needed, there are %(there)s.")
    return said % one.groupdict()


def _of_purchases(error: str) -> str:
    found = TOO_FEW_PURCHASES.fullmatch(error)
    missing = [ONE_OF_PURCHASES.fullmatch(one) for one in found["missing"].split(", ")] if found else []
    known = [str(OF_PURCHASES[one["what"]]) % one.groupdict() for one in missing if one]
    return " ".join(known) if len(known) == len(missing) else ""


def _sentence(error: str) -> str:
    for pattern, sentence in SENTENCES.items():
        if found := re.fullmatch(pattern, error):
            return str(sentence) % {name: _value(name, value) for name, value in found.groupdict().items()}
    return ""


def _value(name: str, value: str) -> str:
    if name == "kind":
        return str(dict(Event.Kind.choices).get(value, value))
    if name == "subject":  # of an impact assessment: a model's, or a connection's by its name
        return spec_title(value.removeprefix("spec:"))
    return _(value) if name == "model" else value
