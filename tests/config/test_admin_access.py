"""A person sees and does only what the group allows: each group against each page, the menu, and the buttons."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from crm import partitions
from crm.models import Event, JobRun, ProfileAlias
from crm.roles import create_groups
from mlengine.models import ModelVersion
from tests import factories

pytestmark = pytest.mark.django_db

PAGES = {
    "crm_profile_changelist": {"Marketing", "Compliance", "Admin"},
    "crm_identifier_changelist": {"Compliance", "Admin"},
    "crm_profilealias_changelist": {"Compliance", "Admin"},
    "crm_relation_changelist": {"Marketing", "Compliance", "Admin"},
    "crm_event_changelist": {"Marketing", "Compliance", "Admin"},
    "crm_item_changelist": {"Marketing", "Analyst", "Compliance", "Admin"},
    "crm_source_changelist": {"Marketing", "Compliance", "Admin"},
    "crm_import": {"Marketing", "Admin"},
    "crm_rejectedevent_changelist": {"Marketing", "Compliance", "Admin"},
    "crm_jobrun_changelist": {"Marketing", "Analyst", "Compliance", "Admin"},
    "mlengine_modelversion_changelist": {"Marketing", "Analyst", "Compliance", "Admin"},
    "mlengine_predictionrun_changelist": {"Marketing", "Analyst", "Compliance", "Admin"},
    "mlengine_cluster_changelist": {"Marketing", "Analyst", "Compliance", "Admin"},
    "crm_release_changelist": {"Analyst", "Compliance"},
    "crm_impactassessment_changelist": {"Marketing", "Analyst", "Compliance"},
    "crm_rowexport_changelist": {"Compliance"},
    "auth_user_changelist": {"Admin"},
    "auth_group_changelist": {"Admin"},
    "oauth2_provider_application_changelist": {"Admin"},
    "admin_logentry_changelist": {"Compliance", "Admin"},
    "crm_personaldataaccess_changelist": {"Compliance"},
}
GROUPS = ["Marketing", "Analyst", "Compliance", "Admin"]


def member(group: str) -> Client:
    """Return a browser in which somebody of the group is logged in."""
    create_groups()
    user = User.objects.create_user(f"one-of-{group}", is_staff=True)
    if group == "superuser":
        user.is_superuser = True
        user.save()
    else:
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def purchase() -> Event:
    partitions.ensure([partitions.month_of(factories.NOW)])
    facts = {"kind": "purchase", "value": 5, "occurred_at": factories.NOW, "received_at": factories.NOW}
    return Event.objects.create(id=uuid4(), source=factories.source(), profile=factories.profile(), **facts)


@pytest.mark.parametrize("group", GROUPS)
def test_pages_open_for_the_groups_that_may_see_them_and_the_menu_shows_just_those(group: str) -> None:
    client = member(group)
    menu = client.get(reverse("admin:index")).content.decode()
    for page, groups in PAGES.items():
        address = reverse(f"admin:{page}")
        assert (client.get(address).status_code == 200) == (group in groups), page
        assert (f'href="{address}"' in menu) == (group in groups), page


def test_without_a_group_the_dashboard_says_whom_to_ask() -> None:
    client = Client()
    client.force_login(User.objects.create_user("new", is_staff=True))
    page = client.get(reverse("admin:index"))
    assert "Ask an administrator" in page.content.decode()
    assert "record" not in page.context


def test_creating_the_groups_twice_changes_nothing_and_keeps_what_a_person_added() -> None:
    before = create_groups()
    Group.objects.get(name="Marketing").permissions.add(
        *Group.objects.get(name="Compliance").permissions.filter(codename="view_unmasked")
    )
    assert create_groups() == before | {"Marketing": before["Marketing"] + 1}


@pytest.mark.parametrize("group", [*GROUPS, "superuser"])
def test_nobody_changes_or_deletes_an_event(group: str) -> None:
    event = purchase()
    client = member(group)
    seen = client.get(reverse("admin:crm_event_change", args=[event.pk])).status_code
    assert seen == (403 if group == "Analyst" else 200)
    for verb, answers in (("change", {"kind": "refund"}), ("delete", {"post": "yes"})):
        assert client.post(reverse(f"admin:crm_event_{verb}", args=[event.pk]), answers).status_code == 403
    assert client.get(reverse("admin:crm_event_add")).status_code == 403
    assert Event.objects.get().kind == "purchase"


@pytest.mark.parametrize("group", ["Marketing", "Compliance", "Admin", "superuser"])
def test_names_and_identifiers_are_masked_for_everybody(group: str) -> None:
    person = factories.profile("customer-0042", name="张小明", attributes={"email": "zhang@qq.com", "income": "high"})
    client = member(group)
    pages = [reverse("admin:crm_profile_changelist"), reverse("admin:crm_profile_change", args=[person.pk])]
    for page in (client.get(address).content.decode() for address in pages):
        assert "张小明" not in page
        assert "customer-0042" not in page
        assert "zhang@qq.com" not in page
        assert "张*" in page
        assert "cus***42" in page


def test_a_profile_saved_by_somebody_who_may_not_see_the_name_keeps_it() -> None:
    person = factories.profile(name="张小明")
    create_groups()
    editor = User.objects.create_user("editor", is_staff=True)
    editor.user_permissions.add(
        *Group.objects.get(name="Compliance").permissions.filter(codename__in=["view_profile", "change_profile"])
    )
    client = Client()
    client.force_login(editor)
    client.post(reverse("admin:crm_profile_change", args=[person.pk]), {"city": "上海", "name": "nobody"})
    person.refresh_from_db()
    assert (person.name, person.city, person.personalisation) == ("张小明", "上海", False)


@pytest.mark.parametrize(("group", "status"), [("Marketing", 403), ("Compliance", 403), ("Analyst", 302)])
def test_training_is_for_analysts_and_makes_one_job(group: str, status: int) -> None:
    factories.assess()
    client = member(group)
    address = reverse("admin:mlengine_modelversion_train", args=["churn"])
    assert client.get(address).status_code in {403, 405}
    assert client.post(address).status_code == status
    assert client.post(address).status_code == status
    assert JobRun.objects.filter(kind="train").count() == (status == 302)


def test_a_merge_is_undone_by_compliance_and_not_by_marketing() -> None:
    kept, duplicate = factories.profile(), factories.profile()
    alias = ProfileAlias.objects.create(
        duplicate=duplicate, canonical=kept, reason="same phone", merged_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    address = reverse("admin:crm_profilealias_undo", args=[alias.pk])
    assert member("Marketing").post(address).status_code == 403
    assert member("Compliance").post(address).status_code == 302
    alias.refresh_from_db()
    assert alias.undone_by is not None
    assert alias.undone_by.username == "one-of-Compliance"


def test_a_write_key_is_shown_once_and_never_kept_by_a_cache() -> None:
    source = factories.source("shop")
    client = member("Admin")
    answer = client.post(reverse("admin:crm_source_renew", args=[source.pk]))
    key = answer.context["write_key"]
    assert key in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert type(source).objects.with_key(key).get() == source
    assert key not in client.get(reverse("admin:crm_source_change", args=[source.pk])).content.decode()
    assert member("Analyst").post(reverse("admin:crm_source_renew", args=[source.pk])).status_code == 403


def test_promotion_needs_a_reason() -> None:
    version = ModelVersion.objects.create(
        spec="churn", number=1, artifact="churn/1", sha256="0" * 64, cutoff=factories.NOW, trained_at=factories.NOW
    )
    client = member("Analyst")
    answer = client.post(
        reverse("admin:mlengine_modelversion_promote", args=[version.pk]), {"reason": " "}, follow=True
    )
    assert "Say why" in answer.content.decode()
    version.refresh_from_db()
    assert version.stage == "candidate"


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [("pause", "running", "paused"), ("resume", "paused", "queued"), ("cancel", "queued", "cancelled")],
)
def test_jobs_are_paused_resumed_and_cancelled_by_post_only(verb: str, before: str, after: str) -> None:
    job = JobRun.objects.create(kind="import", title="file", status=before, created_at=factories.NOW)
    client = member("Analyst")
    address = reverse("admin:crm_jobrun_control", args=[job.pk, verb])
    assert client.get(address).status_code == 405
    assert member("Marketing").post(address).status_code == 403
    assert client.post(address).status_code == 302
    job.refresh_from_db()
    assert job.status == after
    page = client.get(reverse("admin:crm_jobrun_change", args=[job.pk])).content.decode()
    assert f'data-status="{after}"' in page


def test_an_administrator_does_not_become_or_take_over_a_superuser() -> None:
    root = User.objects.create_superuser("root", password="secret")
    client = member("Admin")
    assert client.post(reverse("admin:auth_user_change", args=[root.pk]), {"username": "mine"}).status_code == 403
    own = User.objects.get(username="one-of-Admin")
    client.post(
        reverse("admin:auth_user_change", args=[own.pk]),
        {"username": own.username, "is_superuser": "on", "is_staff": "on", "is_active": "on"},
    )
    own.refresh_from_db()
    assert not own.is_superuser


def test_the_scopes_of_an_api_client_are_set_beside_it() -> None:
    page = member("Admin").get(reverse("admin:oauth2_provider_application_add"))
    assert page.status_code == 200
    assert 'name="access-TOTAL_FORMS"' in page.content.decode()
