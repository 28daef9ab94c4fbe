"""Who is erased leaves nothing behind at our accounts, and what was paid for stays counted, of nobody."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import (
    ArrivalWay,
    Credit,
    Follower,
    HandedOver,
    PhoneCode,
    Staff,
    StaffContact,
    Welcome,
)
from campaigns.wechat import (
    customers,
    handovers,
    mini_login,
    phone_numbers,
    staff_sync,
    subscription_reports,
    wecom_jobs,
    welcoming,
)
from crm.consent import NewConsent
from crm.merging import canonical_ids
from crm.models import Identifier, Profile
from crm.retention_classes import CLASSES
from crm.retention_stores import Limits
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    MINI,
    platform,  # noqa: F401
)
from tests.crm import consents
from tests.crm.requests import carried_out

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_erased_person_is_nobodys_customer_follower_or_phone_number(platform: Stub) -> None:  # noqa: F811
    now = timezone.now() - timedelta(minutes=1)
    corp, mini = corporation.corporation(platform, "ann"), corporation.mini_program(platform)
    ArrivalWay.objects.create(account=corp, name="all", kind="otherwise", welcome="Hello", created_at=now)
    for person in ("li", "wang"):
        corporation.friend(platform, corp, "ann", person, timezone.now())
        welcoming.work(timezone.now)
    wecom_jobs.run(wecom_jobs.order(staff_sync.KIND, corp, None, now).pk, timezone.now)
    for person in ("li", "wang"):
        login = mini_login.log_in(mini, platform.post("codes", appid=MINI, person=person)["code"], "", now)
        follower = Follower.objects.select_related("identifier", "account").get(pk=login.follower.pk)
        consents.purpose()
        code = platform.post("codes", appid=MINI, person=person, kind="phone")["code"]
        phone_numbers.ask(follower, code, NewConsent(purpose="offers", method="mini_program"), timezone.now())
        subscription_reports.take(follower, {"T": "accept"}, "k" * 8, now)
    handovers.order(Staff.objects.get(), customers.staff_of(corp, "bob", now), "", None, now)
    li = Profile.objects.order_by("pk")[0]
    assert Identifier.objects.filter(profile=li).count() == 4  # in both places by her unionid
    carried_out("erasure", li)
    for model in (Follower, StaffContact, Welcome, Credit, HandedOver):
        assert model._default_manager.count() == 1, model
    assert not Identifier.objects.filter(profile=li.pk).exists()
    codes = [(one.status, one.identifier is None) for one in PhoneCode.objects.order_by("pk")]
    assert codes == [("charged", True), ("charged", False)]


def test_a_customer_who_was_a_follower_before_is_one_person_once_her_unionid_is_read(platform: Stub) -> None:  # noqa: F811
    now = timezone.now()
    corp, mini = corporation.corporation(platform, "ann"), corporation.mini_program(platform)
    login = mini_login.log_in(mini, platform.post("codes", appid=MINI, person="li")["code"], "", now)
    corporation.friend(platform, corp, "ann", "li", now)
    contact = StaffContact.objects.get()
    assert contact.identifier.profile_id != login.profile_id
    for _ in range(2):
        wecom_jobs.run(wecom_jobs.order(staff_sync.KIND, corp, None, now).pk, timezone.now)
        customer = contact.identifier.profile_id
        assert canonical_ids([customer])[customer] == login.profile_id


def test_what_has_ended_goes_when_its_time_is_over_and_what_lasts_stays(platform: Stub) -> None:  # noqa: F811
    long_ago, now = timezone.now() - timedelta(days=800), timezone.now()
    corp, mini = corporation.corporation(platform, "ann"), corporation.mini_program(platform)
    ArrivalWay.objects.create(account=corp, name="all", kind="otherwise", welcome="Hello", created_at=now)
    for person in ("li", "wang"):
        corporation.friend(platform, corp, "ann", person, now)
    mini_login.log_in(mini, platform.post("codes", appid=MINI, person="li")["code"], "", now)
    first = StaffContact.objects.order_by("pk")[0]
    StaffContact.objects.filter(pk=first.pk).update(added_at=long_ago, ended_at=long_ago)
    Welcome.objects.filter(identifier=first.identifier).update(received_at=long_ago)
    for name in ("deliveries", "callbacks"):
        kept = CLASSES[name]
        kept.store.delete(Limits(cutoff=now - kept.keep, people=(), now=now))
    assert (StaffContact.objects.count(), Welcome.objects.count(), Follower.objects.count()) == (1, 1, 1)
