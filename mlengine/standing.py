"""What holds for everybody who is recommended something: which runs answer, marketing's rules, who has to be asked.

It changes once a night, or when somebody decides something; so each process remembers it. Whoever reads a person asks
in the same statement whether these rows are still the ones that are remembered: nothing here is ever old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from crm.models import Purpose
from mlengine.models import PredictionRun
from mlengine.shop_rules import RecommendationRule
from mlengine.specs import SPECS

MODELS: Final = tuple(spec.name for spec in SPECS.values() if spec.answers == "recommendation")
LINKS: Final = "companions"

_remembered: list["Standing"] = []  # one, replaced as a whole: threads read it


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What holds for everybody, and the version of the rows that say so; read only, for threads share it."""

    version: str
    runs: Mapping[str, PredictionRun]
    rules: Sequence[RecommendationRule]
    purposes: Sequence[Purpose]  # of profiling: each has to cover whoever gets something of her own

    def run(self, spec: str | None) -> PredictionRun | None:
        """Return the run that answers: the latest of a model or, where none is named, of the first that has one."""
        return next((self.runs[name] for name in ([spec] if spec else MODELS) if name in self.runs), None)


def remembered() -> Standing:
    """Return what this process knows; it may be old."""
    return _remembered[0] if _remembered else renewed()


def renewed() -> Standing:
    """Return what holds now; four queries."""
    statement, values = version()
    with connection.cursor() as cursor:
        # The version first: what changes between it and the rows is found changed by the next who asks.
        cursor.execute(f"SELECT {statement}", values)
        (known,) = cursor.fetchone()
    runs, rules, purposes = _decided()
    found = Standing(version=known, runs={run.spec: run for run in runs}, rules=tuple(rules), purposes=tuple(purposes))
    _remembered[:] = [found]
    return found


def version() -> tuple[str, dict[str, Any]]:
    """Return an expression of SQL, with its values, for a text that is another as soon as one of these rows is."""
    parts = [_versions_of(rows, f"standing_{place}_") for place, rows in enumerate(_decided())]
    values = {name: value for _sql, named in parts for name, value in named.items()}
    return f"concat_ws('|', {', '.join(sql for sql, _named in parts)})", values


def is_new_only(run: PredictionRun) -> bool:
    """Return whether a run's model shows only what a person never had."""
    return run.spec in SPECS and bool(SPECS[run.spec].parameters.get("new_only"))


def _decided() -> tuple[QuerySet[PredictionRun], QuerySet[RecommendationRule], QuerySet[Purpose]]:
    runs = PredictionRun.objects.latest_of([*MODELS, LINKS])
    return runs, RecommendationRule.objects.active(), Purpose.objects.profiling()


def _versions_of(rows: QuerySet[Any], prefix: str) -> tuple[str, dict[str, Any]]:
    """Name each row by the transaction that wrote it and where it lies: a changed one has another of them."""
    table = rows.model._meta.db_table
    each = RawSQL(f"concat_ws(' ', {table}.id, {table}.xmin, {table}.ctid)", ())  # noqa: S611  # words of ours
    sql, values = rows.values(row=each).query.sql_with_params()
    named = {f"{prefix}{place}": value for place, value in enumerate(values)}
    chosen = sql % tuple(f"%({name})s" for name in named)
    return f"(SELECT coalesce(string_agg(found.row, ',' ORDER BY found.row), '-') FROM ({chosen}) AS found)", named  # noqa: S608
