"""Everything in the ledger derived again and compared: rows with leaves, leaves with tiles, tiles with what was signed.

One pass over one snapshot, in memory that does not grow with the ledger. A problem names its table, row and reason.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext_lazy as _

from crm import checkpoints
from crm.fsck.derived import check_notices, check_stamps, check_states
from crm.fsck.evidence import check_evidence, check_orphans
from crm.fsck.report import Problem, Report
from crm.fsck.tree import check_signatures, check_tree
from crm.signed_notes import NoteError, verify

__all__ = ["CHECKS", "HONEST_LIMIT", "Problem", "Report", "check"]

Check = Callable[[Report], Iterator[Problem]]

# What must agree with the ledger; a table that is derived from evidence adds its own check here.
CHECKS: tuple[Check, ...] = (check_signatures, check_evidence, check_orphans, check_states, check_notices, check_stamps)

# Shown by the command and on the compliance page, so that nobody believes more than what is proven.
HONEST_LIMIT = _(
    "What this cannot show: a superuser of the database can rewrite what came after the last checkpoint held elsewhere."
    " Keep copies of checkpoints where the operator of this system cannot change them."
)


def check(trusted: Iterable[str] = (), *, most: int = 1000) -> Report:
    """Check the whole ledger, also against checkpoints that were held elsewhere.

    Parameters
    ----------
    trusted
        Signed notes of checkpoints that were kept where nobody could change them.
    most
        How many problems are told one by one; all are counted.
    """
    report = Report(most=most)
    report.counts = dict.fromkeys(("leaves", "checkpoints", "held elsewhere", "problems"), 0)
    with _one_snapshot():
        held = _held(trusted, report)
        checks: tuple[Check, ...] = (partial(check_tree, held), *CHECKS)
        for one in checks:
            _run(one, report)
    return report


def _run(one: Check, report: Report) -> None:
    try:
        for problem in one(report):
            report.add(problem)
    except DatabaseError:
        raise
    except Exception as error:  # whatever a falsified row makes of our code is a finding, and not the end of the search
        name = getattr(one, "__name__", "check_tree")
        report.add(Problem(name, "", f"could not be finished: {type(error).__name__}: {error}"[:500]))


def _held(notes: Iterable[str], report: Report) -> dict[int, bytes]:
    """Return the roots, by size, of the checkpoints held elsewhere that we signed."""
    keys, roots = checkpoints.verifier_keys(), dict[int, bytes]()
    for note in notes:
        report.count("held elsewhere")
        try:
            signed = verify(note, keys)
        except NoteError as error:
            report.add(Problem("held elsewhere", note.partition("\n\n")[0].replace("\n", " ")[:200], str(error)))
            continue
        if roots.setdefault(signed.size, signed.root) != signed.root:
            report.add(Problem("held elsewhere", str(signed.size), "two roots were signed for one size"))
    return roots


@contextmanager
def _one_snapshot() -> Iterator[None]:
    """Read everything as of one moment, so that a sequencer at work does not look like a fault."""
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
