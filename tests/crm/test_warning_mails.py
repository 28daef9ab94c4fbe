"""Officers hear by mail what comes due, each stage once, in both languages, and nothing of whose request it is."""

from collections.abc import Iterator
from datetime import date, timedelta
from smtplib import SMTPException
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.utils import translation
from django.utils.translation import ngettext

from crm import identity_checks, rights, warning_mails
from crm.models import Identifier, PrivacyRequest, Profile, RequestWarning
from tests.crm.mailboxes import Mailbox, receiving
from tests.factories import NOW, profile

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def officer(name: str = "ma", **facts: Any) -> User:
    user = User.objects.create(username=name, **{"email": f"{name}@example.com", "is_staff": True} | facts)
    user.user_permissions.add(Permission.objects.get(codename="handle_privacyrequest"))
    return user


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    with receiving(settings) as box:
        yield box


@pytest.fixture
def canary() -> Profile:
    made = profile("ext-canary-7", name="欧阳金丝雀", birth_date=date(1990, 4, 1))
    Identifier.objects.create(type="phone", value="+8613912345678", profile=made, created_at=NOW)
    return made


def asked(person: Profile, kind: str = "copy") -> PrivacyRequest:
    return rights.open_request(
        kind, profile_id=person.pk, method="api", now=NOW, details={"text": "My name is 欧阳金丝雀, 13912345678"}
    )


def day_by_day(days: int) -> dict[int, int]:
    """Let days pass, with two ticks each; return on which day how many mails went out."""
    sent: dict[int, int] = {}
    for day in range(days):
        for hours in (0, 2):
            moment = NOW + DAY * day + timedelta(hours=hours)
            warning_mails.notice(moment)
            sent[day] = sent.get(day, 0) + warning_mails.send(moment)
    return {day: count for day, count in sent.items() if count}


def test_each_stage_of_a_request_is_mailed_once_to_each_officer(mailbox: Mailbox, canary: Profile) -> None:
    officer("ma"), officer("li"), officer("gone", is_active=False), officer("unreachable", email="")
    User.objects.create(username="root", is_superuser=True, email="root@example.com")
    asked(canary)  # on a Sunday: 15 working days end on the third Friday after
    assert day_by_day(40) == {10: 2, 16: 2, 19: 2, 22: 2}
    assert sorted({message["To"] for message in mailbox.messages}) == ["li@example.com", "ma@example.com"]
    stages = RequestWarning.objects.filter(user__username="ma").order_by("pk").values_list("stage", flat=True)
    assert list(stages) == ["half", "soon", "last_day", "late"]
    assert len({message["Message-ID"] for message in mailbox.messages}) == 8


def test_one_mail_tells_all_that_is_due_in_both_languages_and_nothing_personal(
    mailbox: Mailbox, canary: Profile, settings: Any
) -> None:
    settings.PUBLIC_URL, settings.LANGUAGE_CODE = "https://crm.example.com", "zh-hans"
    officer()
    request, waiting = asked(canary), asked(profile("u-2"), "erasure")
    identity_checks.ask(waiting, now=NOW)
    moment = NOW + 15 * DAY
    assert (warning_mails.notice(moment), warning_mails.send(moment)) == (2, 1)
    (text,) = mailbox.texts()
    with translation.override("zh-hans"):
        chinese = ngettext("%(count)d privacy request needs you", "%(count)d privacy requests need you", 2)
    assert mailbox.messages[0]["Subject"].strip() == f"{chinese % {'count': 2}} / 2 privacy requests need you"
    assert f"Copy {str(request.reference)[:8]}: half of the time is used" in text
    assert f"Erasure {str(waiting.reference)[:8]}: waits long for the person's identity" in text
    assert f"https://crm.example.com/admin/crm/privacyrequest/{request.pk}/change/" in text
    told = text + str(mailbox.messages[0])
    for personal in ("欧阳", "金丝雀", "13912345678", "12345678", "1990", "ext-canary", f"#{canary.pk} "):
        assert personal not in told, personal
    assert mailbox.messages[0]["Auto-Submitted"] == "auto-generated"


def test_what_a_server_does_not_take_is_sent_later_after_longer_and_longer_pauses(
    mailbox: Mailbox, canary: Profile
) -> None:
    officer()
    asked(canary)
    moment = NOW + 10 * DAY
    warning_mails.notice(moment)
    mailbox.refusing = "451 Try again later"
    tried = []
    for minutes in range(0, 8 * 60, 5):
        before = RequestWarning.objects.get().attempts
        assert warning_mails.send(moment + timedelta(minutes=minutes)) == 0
        if RequestWarning.objects.get().attempts > before:
            tried.append(minutes)
    assert tried == [0, 5, 15, 35, 75, 155, 315]
    assert RequestWarning.objects.get().error == "SMTPDataError"
    mailbox.refusing = ""
    assert [warning_mails.send(moment + timedelta(hours=12 + n)) for n in range(2)] == [1, 0]
    assert RequestWarning.objects.get().error == ""


def test_nobody_is_told_of_what_has_ended_meanwhile(mailbox: Mailbox, canary: Profile) -> None:
    officer()
    request = asked(canary)
    warning_mails.notice(NOW + 10 * DAY)
    rights.refuse(request, "excessive", now=NOW + 10 * DAY)
    assert warning_mails.send(NOW + 11 * DAY) == 0
    assert warning_mails.notice(NOW + 30 * DAY) == 0


def test_without_an_officer_the_administrators_are_told_and_without_them_the_log(
    mailbox: Mailbox, canary: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    asked(canary)
    assert warning_mails.notice(NOW + 10 * DAY) == 0
    assert "no officer with an e-mail address" in caplog.text
    User.objects.create(username="root", is_superuser=True, email="root@example.com")
    assert warning_mails.notice(NOW + 10 * DAY) == 1
    assert warning_mails.send(NOW + 10 * DAY) == 1


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_send_one_mail(mailbox: Mailbox, canary: Profile) -> None:
    from crm.locks import Busy

    officer()
    asked(canary)
    gate, sent = Barrier(4), []

    def work() -> None:
        gate.wait()
        try:
            warning_mails.notice(NOW + 10 * DAY)
            sent.append(warning_mails.send(NOW + 10 * DAY))
        except Busy:
            pass
        finally:
            connections.close_all()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(sent), len(mailbox.messages), RequestWarning.objects.count()) == (1, 1, 1)
    assert issubclass(SMTPException, OSError)  # what the sender catches
