"""The data map as an officer reads it: each column in plain words, looked through by word, kind and fate.

The record of processing activities that PIPL 55/56, Network Data Regulation 12 and GDPR 30 ask for; what it says is
what the code does, for ``crm.data_map`` is held to the models by a test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm import retention_keeps, spreadsheets
from crm.classification import ERASURES, KINDS, PERSONAL, Column, Erasure, Kind, Table
from crm.data_map import TABLES
from crm.retention_classes import CLASSES

# What the map's shorthand for a time means. The classes of retention stand in CLASSES, with the days now in force.
RETENTIONS: Mapping[str, Any] = {
    "person": _("until the person is erased"),
    "behaviour, messages or orders, by its kind": _("as its class of data: browsing, messages or orders"),
    "evidence": _("for as long as proof may be asked for; no end is set"),
    "configuration": _("until staff change or delete it"),
    "webhooks": _("30 days after they were told, or given up"),
    "until a month after its end": _("until a month after its end"),
    "seven days": _("seven days"),
    "account": _("for as long as the account exists"),
    "two weeks": _("two weeks"),
    "one hour": _("one hour"),
    "not used": _("never filled: the product does not use this table"),
}
HEADINGS = (
    *(_("Table"), _("Name"), _("Column"), _("Name of the column"), _("What it tells"), _("Personal"), _("Sealed")),
    *(_("Purpose"), _("Kept"), _("On erasure"), _("Why it is kept")),
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One column of a table, in words."""

    column: Column
    title: str
    kind: str
    erasure: str
    sealed: bool

    @property
    def personal(self) -> bool:
        return self.column.kind in PERSONAL


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table: what it is for, how long, why it outlives a person if it does, and its columns."""

    label: str
    title: str
    purpose: str
    kept: str
    erasure: str
    reason: str
    lines: Sequence[Line]

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """The kinds in it that say something of a person, the most telling first."""
        found = {line.column.kind: line.kind for line in self.lines if line.personal}
        return [(kind.value, found[kind]) for kind in Kind if kind in found]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What somebody looks for: a word, one kind, one fate; empty: everything."""

    word: str = ""
    kind: str = ""
    erasure: str = ""

    def takes(self, sheet: Sheet, line: Line) -> bool:
        text = " ".join([sheet.label, sheet.title, sheet.purpose, line.column.name, line.title]).casefold()
        return (
            self.word.casefold().strip() in text
            and self.kind in {"", line.column.kind}
            and self.erasure in {"", line.column.erasure}
        )

    def __bool__(self) -> bool:
        return bool(self.word.strip() or self.kind or self.erasure)


def sheets(wanted: Wanted = Wanted()) -> list[Sheet]:  # frozen
    """Return the tables that have what is wanted, with those of their columns that are."""
    keeps = {name: kept.days for name, kept in retention_keeps.keeps().items()}
    whole = [_sheet(label, found, keeps) for label, found in TABLES.items()]
    shown = [(sheet, [line for line in sheet.lines if wanted.takes(sheet, line)]) for sheet in whole]
    return [_with(sheet, lines) for sheet, lines in shown if lines]


def lines_of_csv(found: Sequence[Sheet]) -> Iterator[str]:
    """Yield the map as a spreadsheet reads it, in the reader's language; no cell is run as a formula."""
    yield spreadsheets.MARK + spreadsheets.line([str(heading) for heading in HEADINGS])
    yes = {True: gettext("yes"), False: gettext("no")}
    for sheet in found:
        for line in sheet.lines:
            yield spreadsheets.line(
                [
                    *(sheet.label, sheet.title, line.column.name, line.title, line.kind, yes[line.personal]),
                    *(yes[line.sealed], sheet.purpose, sheet.kept, line.erasure, sheet.reason),
                ]
            )


def _sheet(label: str, found: Table, keeps: Mapping[str, int]) -> Sheet:
    model = _model(label)
    columns = found.columns(label)
    return Sheet(
        label=label,
        title=gettext(str(model._meta.verbose_name)),
        purpose=gettext(found.purpose),
        kept=_kept(found.retention, keeps),
        erasure=str(ERASURES[found.erasure]),
        reason=gettext(found.reason) if found.reason else "",
        lines=[_line(column, model, sealed=column.name in found.sealed) for column in columns],
    )


def _line(column: Column, model: type[Model], *, sealed: bool) -> Line:
    return Line(
        column=column,
        title=gettext(str(getattr(model._meta.get_field(column.name), "verbose_name", column.name))),
        kind=str(KINDS[column.kind]),
        erasure=str(ERASURES[column.erasure]),
        sealed=sealed,
    )


def _with(sheet: Sheet, lines: Sequence[Line]) -> Sheet:
    return Sheet(**{**sheet.__dict__, "lines": lines})


def _kept(name: str, keeps: Mapping[str, int]) -> str:
    if name not in CLASSES:
        return str(RETENTIONS.get(name, name))
    return gettext("%(days)s days (%(class)s)") % {"days": keeps[name], "class": CLASSES[name].title}


def _model(label: str) -> type[Model]:
    return apps.get_model(label)


def choices() -> dict[str, list[tuple[str, Any]]]:
    """Return what may be chosen from: kinds, and fates."""
    return {
        "kinds": [(kind.value, KINDS[kind]) for kind in Kind],
        "erasures": [(fate.value, ERASURES[fate]) for fate in Erasure],
    }
