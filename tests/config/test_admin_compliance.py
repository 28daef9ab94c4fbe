"""The compliance officer's workspace: what it shows, whom it lets in, and what leaves through it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import approvals, consent, sequencer, tasks, verify
from crm.audit import orders
from crm.models import Approval, Checkpoint, JobRun, PersonalDataAccess
from tests import factories
from tests.crm import consents
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db
OVERVIEW, ORDER = "admin:crm_compliance", "admin:crm_audit_order"


@pytest.fixture(autouse=True)
def _files_of_the_test(settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_DIR = tmp_path


@pytest.fixture
def officer() -> User:
    return member("Compliance", "officer")


@pytest.fixture
def history() -> None:
    """One person who allowed and withdrew, and a notice."""
    now = timezone.now() - timedelta(days=2)
    consents.purpose(), consents.notice("offers", at=now - timedelta(days=3))
    person = factories.profile("u1")
    consents.say(person, now=now, notice="privacy/1", method="form")
    consent.withdraw(person.pk, "offers", "", "preference_centre", now + timedelta(days=1))
    sequencer.sequence(timezone.now())


def ordered(client: Client, **asked: Any) -> Any:
    return client.post(reverse(ORDER), {"language": "en"} | asked)


def got(client: Client, address: str) -> bytes:
    """Return what is downloaded from an address."""
    answer: Any = client.get(address)
    return b"".join(answer.streaming_content)


def test_an_empty_house_says_what_the_page_will_show(officer: User) -> None:
    page = logged_in(officer).get(reverse(OVERVIEW)).content.decode()
    assert "No bundle was exported yet." in page
    assert "Nobody outside holds a checkpoint yet." in page
    assert "The ledger is empty" in logged_in(officer).get(reverse(ORDER)).content.decode()


def test_the_page_tells_the_honest_limit_and_the_key(officer: User, history: None) -> None:
    page = logged_in(officer).get(reverse(OVERVIEW)).content.decode()
    assert "a superuser of the database can rewrite what came after the last checkpoint held elsewhere" in page
    assert "messages that were sent outside the system leave no record" in page
    from crm import checkpoints

    assert verify.key_of(checkpoints.signer().verifier_key).fingerprint in page
    assert "privacy/1" in page


def test_the_page_costs_the_same_however_much_there_is(
    officer: User, history: None, django_assert_max_num_queries: Any
) -> None:
    client = logged_in(officer)
    client.get(reverse(OVERVIEW))
    for number in range(5):
        orders.place(orders.from_json(ORDERED), user=officer, now=timezone.now() + timedelta(seconds=number))
    with django_assert_max_num_queries(40):
        client.get(reverse(OVERVIEW))


ORDERED = {
    "size": 1,
    "begin": "",
    "end": "",
    "purposes": [],
    "people": [],
    "clear_text": False,
    "approval": "",
    "language": "en",
    "compare": [],
}


@pytest.mark.parametrize("group", ["Marketing", "Analyst"])
@pytest.mark.parametrize("name", ["crm_compliance", "crm_audit_order", "crm_audit_verifier", "crm_audit_checkpoint"])
def test_others_do_not_get_in(group: str, name: str) -> None:
    assert logged_in(member(group)).get(reverse(f"admin:{name}")).status_code == 403


def test_an_ordered_bundle_is_made_downloaded_logged_and_genuine(officer: User, history: None, tmp_path: Path) -> None:
    client = logged_in(officer)
    today = timezone.localdate().isoformat()
    answer = ordered(client, begin="2026-01-01", end=today, purposes=["offers"])
    job = JobRun.objects.get(kind="audit_bundle")
    assert answer["Location"] == reverse("admin:crm_jobrun_change", args=[job.pk])
    assert tasks.export_bundle(job.pk)
    assert "Download the bundle" in client.get(answer["Location"]).content.decode()
    bundle = tmp_path / "got.zip"
    bundle.write_bytes(got(client, reverse("admin:crm_audit_download", args=[job.pk, "zip"])))
    assert verify.check(str(bundle)).counts["kinds"] == {"consent": 2, "notice": 1}
    assert [row.what.partition(":")[0] for row in PersonalDataAccess.objects.order_by("pk")] == [
        "audit bundle, pseudonymous",
        f"audit-bundle-{job.pk}.zip",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"begin": "2026-03-05", "end": "2026-03-01"}, "before it begins"),
        ({"people": "张三"}, "Name people by their numbers"),
        ({"people": "#999999"}, "There is no person #999999"),
        ({"purposes": ["nothing"]}, "nothing"),
        ({"clear_text": "on"}, "Say why the auditor needs names"),
        ({"begin": "soon"}, "is not a day"),
    ],
)
def test_a_wrong_order_is_shown_again_with_the_reason(
    officer: User, history: None, asked: dict[str, Any], said: str
) -> None:
    assert said in ordered(logged_in(officer), **asked).content.decode()
    assert not JobRun.objects.exists()


def test_a_checkpoint_that_is_none_of_ours_is_refused_in_words(officer: User, history: None) -> None:
    held = SimpleUploadedFile("cp.txt", b"\xff\xfe nonsense")
    assert "cannot be used" in ordered(logged_in(officer), held=held).content.decode()


def test_clear_text_waits_for_a_second_person_and_is_the_askers_alone(officer: User, history: None) -> None:
    client = logged_in(officer)
    ordered(client, clear_text="on", reason="The court asked.")
    assert not JobRun.objects.exists()
    approval = Approval.objects.get()
    start = reverse("admin:crm_audit_approved", args=[approval.pk])
    client.post(start)
    assert not JobRun.objects.exists()
    boss = User.objects.create_superuser("boss")
    approvals.approve(approval.pk, by=boss, now=timezone.now())
    assert "Export now" in client.get(reverse(ORDER)).content.decode()
    assert client.get(start)["Location"] == reverse(ORDER)
    client.post(start)
    job = JobRun.objects.get()
    assert (job.parameters["clear_text"], job.parameters["approval"]) == (True, str(approval.pk))
    assert tasks.export_bundle(job.pk)
    address = reverse("admin:crm_audit_download", args=[job.pk, "zip"])
    assert got(client, address).startswith(b"PK")
    assert logged_in(boss).get(address).status_code == 403
    client.post(start)
    assert JobRun.objects.count() == 1


def test_what_was_removed_can_be_exported_again(officer: User, history: None) -> None:
    client = logged_in(officer)
    ordered(client)
    job = JobRun.objects.get()
    tasks.export_bundle(job.pk)
    orders.remove_expired(timezone.now() + orders.KEPT)
    for kind in ("zip", "pdf", "txt"):
        answer = client.get(reverse("admin:crm_audit_download", args=[job.pk, kind]), follow=True)
        assert "removed when its time was up" in answer.content.decode()


def test_the_whole_ledger_is_checked_on_a_click(officer: User, history: None) -> None:
    client = logged_in(officer)
    client.post(reverse("admin:crm_ledger_check"))
    job = JobRun.objects.get(kind="fsck")
    assert tasks.check_ledger(job.pk)
    job.refresh_from_db()
    assert (job.result["leaves"], job.result["problems"]) == (3, 0)
    assert "all as signed" in client.get(reverse(OVERVIEW)).content.decode()


def test_verifier_and_checkpoint_can_be_had_apart_from_a_bundle(officer: User, history: None) -> None:
    client = logged_in(officer)
    assert got(client, reverse("admin:crm_audit_verifier")) == Path(verify.__file__).read_bytes()
    assert (
        client.get(reverse("admin:crm_audit_checkpoint")).content.decode() == Checkpoint.objects.latest_first()[0].note
    )
