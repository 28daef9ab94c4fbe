"""Four eyes: asked by one, decided by another, used once, exactly as asked."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction

from crm import approvals
from crm.approvals import ACTIONS, MayNotDecide, NotApproved
from crm.models import Approval, LedgerNote

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
WHAT = ("audit_clear_text", "bundle", {"purpose": "email", "until": "2026-02-01"})


def officer(name: str, *, decides: bool = True) -> User:
    user = User.objects.create_user(name, is_staff=True)
    if decides:
        user.user_permissions.add(Permission.objects.get(codename="decide_approval"))
    return User.objects.get(pk=user.pk)


def asked(by: User, now: datetime = NOW) -> Approval:
    return approvals.ask(*WHAT, by=by, reason="The auditor asks for names.", now=now)


@pytest.fixture
def ann() -> User:
    return officer("ann")


@pytest.fixture
def bob() -> User:
    return officer("bob")


def test_what_another_approved_is_done_once(ann: User, bob: User) -> None:
    request = asked(ann)
    approvals.approve(request.pk, by=bob, now=LATER)
    used = approvals.use(*WHAT, by=ann, now=LATER)
    assert (used.pk, used.decided_by, used.used_at) == (request.pk, bob, LATER)
    with pytest.raises(NotApproved, match="second person"):
        approvals.use(*WHAT, by=ann, now=LATER)


@pytest.mark.parametrize(
    ("action", "subject", "parameters"),
    [
        ("clear_export", WHAT[1], WHAT[2]),
        (WHAT[0], "bundles", WHAT[2]),
        (WHAT[0], WHAT[1], {**WHAT[2], "until": "2026-02-02"}),
        (WHAT[0], WHAT[1], {}),
        (WHAT[0], WHAT[1], {**WHAT[2], "people": None}),
    ],
)
def test_nothing_but_exactly_what_was_asked_is_approved(
    ann: User, bob: User, action: str, subject: str, parameters: dict[str, object]
) -> None:
    approvals.approve(asked(ann).pk, by=bob, now=NOW)
    with pytest.raises(NotApproved):
        approvals.use(action, subject, parameters, by=ann, now=NOW)
    assert approvals.use(WHAT[0], WHAT[1], dict(reversed(WHAT[2].items())), by=ann, now=NOW).used_at == NOW


def test_only_who_asked_may_use_it(ann: User, bob: User) -> None:
    approvals.approve(asked(ann).pk, by=bob, now=NOW)
    for other in (bob, officer("carl")):
        with pytest.raises(NotApproved):
            approvals.use(*WHAT, by=other, now=NOW)


def test_nobody_decides_what_is_ones_own_not_even_a_superuser(ann: User) -> None:
    User.objects.filter(pk=ann.pk).update(is_superuser=True)
    request = asked(ann)
    for verb in (approvals.approve, approvals.refuse):
        with pytest.raises(MayNotDecide, match="one's own"):
            verb(request.pk, by=User.objects.get(pk=ann.pk), now=NOW)
    with pytest.raises(IntegrityError, match="crm_approval_by_another"), transaction.atomic():
        Approval.objects.update(decision="approved", decided_by=ann, decided_at=NOW)


def test_deciding_needs_the_permission(ann: User) -> None:
    with pytest.raises(MayNotDecide, match="may not decide"):
        approvals.approve(asked(ann).pk, by=officer("carl", decides=False), now=NOW)


def test_what_was_decided_is_not_decided_again(ann: User, bob: User) -> None:
    request = asked(ann)
    approvals.refuse(request.pk, by=bob, answer="Too much.", now=NOW)
    with pytest.raises(MayNotDecide, match="waits no longer"):
        approvals.approve(request.pk, by=officer("carl"), now=NOW)
    with pytest.raises(NotApproved):
        approvals.use(*WHAT, by=ann, now=NOW)


def test_requests_and_approvals_run_out(ann: User, bob: User) -> None:
    lifetime = ACTIONS[WHAT[0]].lifetime
    first = asked(ann)
    with pytest.raises(MayNotDecide, match="waits no longer"):
        approvals.approve(first.pk, by=bob, now=NOW + lifetime)
    second = asked(ann, NOW + lifetime)
    assert second.pk != first.pk
    approvals.approve(second.pk, by=bob, now=NOW + lifetime)
    with pytest.raises(NotApproved):
        approvals.use(*WHAT, by=ann, now=NOW + 2 * lifetime)
    last = NOW + 2 * lifetime - timedelta(microseconds=1)
    assert approvals.use(*WHAT, by=ann, now=last).used_at == last


@pytest.mark.parametrize("loss", [{"is_active": False}, {"permission": False}])
def test_an_approval_dies_with_the_account_or_the_permission_of_who_gave_it(
    ann: User, bob: User, loss: dict[str, bool]
) -> None:
    approvals.approve(asked(ann).pk, by=bob, now=NOW)
    if "permission" in loss:
        bob.user_permissions.clear()
    else:
        User.objects.filter(pk=bob.pk).update(**loss)
    with pytest.raises(NotApproved):
        approvals.use(*WHAT, by=ann, now=NOW)


def test_asking_twice_asks_once(ann: User, bob: User) -> None:
    first = asked(ann)
    assert asked(ann).pk == first.pk
    approvals.approve(first.pk, by=bob, now=NOW)
    assert asked(ann).pk == first.pk
    assert asked(bob).pk != first.pk
    approvals.use(*WHAT, by=ann, now=NOW)
    assert asked(ann).pk != first.pk


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_request_needs_a_reason(ann: User, reason: str) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        approvals.ask(*WHAT, by=ann, reason=reason, now=NOW)


def test_an_action_that_is_not_in_the_table_is_refused(ann: User) -> None:
    with pytest.raises(KeyError, match="No action 'anything'"):
        approvals.ask("anything", "x", {}, by=ann, reason="why", now=NOW)


def test_personal_data_typed_as_a_reason_is_masked(ann: User) -> None:
    request = approvals.ask(*WHAT, by=ann, reason="call 13812345678 about it", now=NOW)
    assert "13812345678" not in request.reason


def test_each_decision_and_use_is_a_note_in_the_ledger(ann: User, bob: User) -> None:
    request = asked(ann)
    approvals.approve(request.pk, by=bob, now=NOW)
    approvals.use(*WHAT, by=ann, now=LATER)
    notes = LedgerNote.objects.filter(kind="approval", reference=str(request.pk)).order_by("recorded_at")
    told = [json.loads(note.facts_json) for note in notes]
    assert [(facts["what"], facts["by"]) for facts in told] == [("approved", bob.pk), ("used", ann.pk)]


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_who_use_it_at_once_one_does() -> None:
    ann, bob = officer("ann"), officer("bob")
    approvals.approve(asked(ann).pk, by=bob, now=NOW)
    together = threading.Barrier(16)

    def uses(_: int) -> bool:
        try:
            together.wait()
            with transaction.atomic():
                approvals.use(*WHAT, by=ann, now=NOW)
        except NotApproved:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(uses, range(16))) == 1
