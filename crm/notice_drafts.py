"""Drafts of notices: a new one from the latest version, and what a version changes against the one before."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import NamedTuple

from django.db import IntegrityError, transaction

from crm import notices
from crm.models import Notice
from crm.notice_content import NEEDED_TEXTS


class Line(NamedTuple):
    """A line of a notice, and whether it is ``same``, ``gone`` or ``new`` against the version before."""

    change: str
    text: str


def draft(code: str) -> Notice:
    """Return the draft of the next version of a notice, made from the latest one where there is none yet."""
    there = Notice.objects.filter(code=code, published_at=None).order_by("-version").first()
    if there is not None:
        return there
    latest = Notice.objects.filter(code=code).order_by("-version").first()
    made = Notice(
        code=code,
        version=notices.next_version(code),
        items=latest.items if latest else [],
        texts=latest.texts if latest else {},
    )
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError:  # somebody else pressed the same button
        return Notice.objects.get(code=code, version=made.version)
    return made


def before(notice: Notice) -> Notice | None:
    """Return the published version that came before this one."""
    earlier = Notice.objects.filter(code=notice.code, version__lt=notice.version, published_at__isnull=False)
    return earlier.order_by("-version").first()


def changes(notice: Notice, language: str) -> list[Line]:
    """Return the lines of a notice in a language, with what the version before had and this one has not."""
    earlier = before(notice)
    old, new = list(_lines(earlier, language)) if earlier else [], list(_lines(notice, language))
    found: list[Line] = []
    for what, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            found += [Line("same", text) for text in new[j1:j2]]
        else:
            found += [Line("gone", text) for text in old[i1:i2]] + [Line("new", text) for text in new[j1:j2]]
    return found


def _lines(notice: Notice, language: str) -> Iterable[str]:
    said = notice.texts.get(language) or {}
    for name in NEEDED_TEXTS:
        yield from (line for line in str(said.get(name, "")).splitlines() if line.strip())
    for item in notice.items:
        given = " → ".join(", ".join(item[name]) for name in ("data_types", "recipients") if item.get(name))
        yield f"{item['purpose']}: {given}; {item['retention_days']} d"
