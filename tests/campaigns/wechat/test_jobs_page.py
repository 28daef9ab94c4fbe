"""What went to many, and tasks of staff, in the admin and in a campaign's report: sums, and nobody's own state."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from campaigns.bulk import figures
from campaigns.models import BulkJob
from tests.campaigns.wechat import houses
from tests.campaigns.wechat.houses import NOON, Platform, account, followers, planned, send_many

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_report_sums_what_the_platform_counted() -> None:
    run = planned(followers(account(name="Shop"), 4))
    send_many(Platform(most=2))
    BulkJob.objects.update(status="sent", counts={"total": 2, "filtered": 2, "sent": 1, "errors": 1})
    (told,) = figures.of(run.campaign)
    assert (told.account, told.jobs, told.people, told.reached, told.errors) == ("Shop", 2, 4, 2, 2)


def test_the_page_lists_jobs_and_only_who_runs_campaigns_may_remind_staff(client: Client) -> None:
    own = account("wecom", name="Corp")
    planned(houses.customers(own, houses.staff(own), 2), channel="wecom")
    send_many(Platform(identifier="external_userid"))
    job = BulkJob.objects.get()
    assert (job.kind, job.sender, job.called_at) == ("staff_task", "li", NOON)
    boss = User.objects.create_superuser("chief")
    client.force_login(boss)
    page = client.get(reverse("admin:campaigns_bulkjob_changelist"))
    assert "li" in page.content.decode()
    assert reverse("admin:campaigns_bulkjob_do", args=[job.pk, "remind"]) in page.content.decode()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_bulkjob"))
    client.force_login(viewer)
    assert client.post(reverse("admin:campaigns_bulkjob_do", args=[job.pk, "remind"])).status_code == 403
    client.force_login(boss)
    # Only what is called so takes a task back.
    assert client.get(f"/admin/campaigns/bulkjob/{job.pk}/history/").status_code == 200
