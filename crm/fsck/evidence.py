"""Evidence compared with its leaves and with what is personal in it."""

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, Q, Subquery

from crm.evidence import EVIDENCE, leaf_of
from crm.fsck.report import Problem, Report, rows_of
from crm.models import Leaf, PendingLeaf
from crm.models.ledger import Evidence, PersonalPart


def check_evidence(report: Report) -> Iterator[Problem]:
    """Compare every row of evidence with its leaf, and every personal part with its commitment."""
    for model in EVIDENCE:
        table = model._meta.db_table
        leaf = Leaf.objects.filter(record=OuterRef("pk"))
        waiting = PendingLeaf.objects.filter(record=OuterRef("pk"))
        rows = model._default_manager.select_related("person").annotate(  # type: ignore[misc]
            leaf_hash=Subquery(leaf.values("hash")),
            leaf_kind=Subquery(leaf.values("kind")),
            pending_hash=Subquery(waiting.values("hash")),
            pending_kind=Subquery(waiting.values("kind")),
        )
        for row in rows_of(rows.order_by("pk")):
            report.count(table)
            for reason in (*_leaf_reasons(row), *_personal_reasons(row, report)):
                yield Problem(table, str(row.pk), reason)


def _leaf_reasons(row: Evidence) -> Iterator[str]:
    hashes = {bytes(found) for found in (row.leaf_hash, row.pending_hash) if found is not None}  # type: ignore[attr-defined]
    kinds = {found for found in (row.leaf_kind, row.pending_kind) if found is not None}  # type: ignore[attr-defined]
    if not hashes:
        yield "has no leaf and does not wait for one"
        return
    try:
        hash_ = leaf_of(row)
    except Exception as error:  # a falsified row can make anything of our code: it is named, and the search goes on
        yield f"cannot be written down any more: {type(error).__name__}: {error}"[:500]
        return
    if hashes != {hash_} or kinds != {row.kind}:
        yield "is not what its leaf was made of"


def _personal_reasons(row: Evidence, report: Report) -> Iterator[str]:
    person: PersonalPart | None = getattr(row, "person", None)
    if person is None:
        if row.commitment:
            report.count("shredded")
        return
    report.count("commitments")
    try:
        matches = person.matches(row.commitment)
    except Exception as error:  # sealed with another key, or no longer what it was
        yield f"the personal part cannot be read: {type(error).__name__}"
        return
    if not matches:
        yield "the personal part is not what was committed to"


def check_orphans(report: Report) -> Iterator[Problem]:
    """Find leaves, numbered or waiting, whose evidence is gone."""
    for model in (Leaf, PendingLeaf):
        known = Q()
        for kind in EVIDENCE:
            known |= Q(Exists(kind._default_manager.filter(pk=OuterRef("record"))))
        for row in rows_of(model._default_manager.exclude(known).order_by("pk")):
            yield Problem(model._meta.db_table, str(row.pk), f"its {row.kind} {row.record} is gone")  # type: ignore[attr-defined]
    for kind in EVIDENCE:
        relation = kind._meta.get_field("person")  # type: ignore[misc]
        part, name = relation.related_model, relation.field.attname
        lonely = ~Exists(kind._default_manager.filter(pk=OuterRef(name)))
        for row in rows_of(part._default_manager.filter(lonely).order_by("pk")):
            yield Problem(part._meta.db_table, str(row.pk), "belongs to no evidence")
    twice = PendingLeaf.objects.filter(Exists(Leaf.objects.filter(record=OuterRef("record"))))
    for row in rows_of(twice.order_by("pk")):
        yield Problem("crm_pendingleaf", str(row.pk), "has a number already")
