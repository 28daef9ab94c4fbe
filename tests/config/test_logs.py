"""No personal data in what this process logs, mails or prints when it dies, whoever wrote the line."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from celery import shared_task
from django.core import mail
from django.db import IntegrityError
from django.http import HttpResponseNotFound
from django.test import RequestFactory
from django.utils.log import log_response

from config import logs
from crm.models import Identifier
from crm.redaction import LONGEST, redacted, redacted_error
from tests import factories

PHONE, EMAIL, OPENID, NAME = "13800138000", "canary@qq.com", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "欧阳娜娜"
CANARIES = (PHONE, EMAIL, OPENID, NAME)


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What the house's own format makes of the records of all loggers."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    names = ("", "django.request", "celery", "gunicorn.error", "somebody.else")
    for name in names:
        logging.getLogger(name).addHandler(handler)
    yield stream
    for name in names:
        logging.getLogger(name).removeHandler(handler)


def clean(text: str) -> bool:
    return not any(canary in text for canary in CANARIES)


def test_messages_and_their_arguments_are_redacted(written: StringIO) -> None:
    logging.getLogger("somebody.else").warning("called %s of %r, 姓名：%s, openid %s", PHONE, EMAIL, NAME, OPENID)
    assert "called 138****8000 of 'c***@q*.com', 姓名：欧阳**, openid ***\n" in written.getvalue()
    assert clean(written.getvalue())


def test_a_message_whose_arguments_do_not_fit_is_still_logged_and_prints_none_of_them(
    written: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("somebody.else").warning("one %d", PHONE + "x")
    logging.getLogger("somebody.else").warning("two %s %s", PHONE)  # noqa: PLE1206
    assert "one %d" in written.getvalue()
    assert clean(written.getvalue() + "".join(capsys.readouterr()))


def test_a_traceback_keeps_its_frames_and_loses_its_values(written: StringIO) -> None:
    try:
        try:
            dict[str, int]()[NAME]
        except KeyError as missing:
            raise ValueError(f"{NAME!r} <{EMAIL}> has the phone {PHONE}\nand {OPENID}") from missing
    except ValueError:
        logging.getLogger("somebody.else").exception("It failed")
    text = written.getvalue()
    assert "KeyError: '***'" in text
    assert "ValueError: '***' <c***@q*.com> has the phone 138****8000\nand ***" in text
    assert "in test_a_traceback_keeps_its_frames_and_loses_its_values\n" in text
    assert clean(text)


@pytest.mark.django_db
def test_what_the_database_tells_of_a_row_is_hidden(written: StringIO) -> None:
    person = factories.profile("till 7, customer 42")
    known = Identifier.objects.get(profile=person)
    try:
        Identifier.objects.bulk_create(
            [known.__class__(type=known.type, value=known.value, profile=person, created_at=factories.NOW)]
        )
    except IntegrityError:
        logging.getLogger("somebody.else").exception("It failed")
    assert "already exists" in written.getvalue()
    assert "Key (" in written.getvalue()
    assert "customer 42" not in written.getvalue()


def test_a_row_that_fails_a_check_is_hidden_though_it_has_many_lines() -> None:
    error = 'new row violates check "x"\nDETAIL:  Failing row contains (7, Anna Li,\n1 High Street, null).\n'
    assert "Anna" not in redacted_error(error)
    assert "High" not in redacted_error(error)
    assert "Anna" not in redacted_error('CONTEXT:  COPY crm_profile, line 3, column name: "Anna Li"')
    assert "Anna" not in redacted_error("near\nLINE 1: SELECT ... WHERE name = 'Anna Li, 1 High Str...\n    ^")
    assert "Anna" not in redacted_error('CONTEXT:  JSON data, line 1: {"name": Anna...')


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"Not Found: /admin/crm/profile/?q={PHONE}&p=2", "Not Found: /admin/crm/profile/?q=***&p=2"),
        ("GET /x/?name=Anna%20Li HTTP/1.1", "GET /x/?name=*** HTTP/1.1"),
        ("GET /p/eyJhbGciOiJIUzI1NiJ9abcdef/ 200", "GET /p/***/ 200"),
        ("GET /files/%2B86%2013800138000 404", "GET /files/+86138****8000 404"),
        ("redis://:geheim123@cache:6379/0 is away", "redis://***@cache:6379/0 is away"),
        ("Authorization: Basic Zm9vOmJhcg==", "Authorization: Basic ***"),
        ("request from 203.0.113.77 port 4711", "request from 203.0.113.0/24 port 4711"),
        ("Task crm.tasks.import_file[0e1b2c3d-1380-4138-8000-138001380001] succeeded in 0.5s", ""),
        ("127.0.0.1:8000 listens", ""),
    ],
)
def test_addresses_and_secrets_in_lines_of_servers(line: str, kept: str) -> None:
    assert redacted(line) == (kept or line)


@pytest.mark.parametrize("seed", ["a", "%zz", "%41", "&a=b", "路1号", "'a\"", "):(=", "LINE 1: "])
def test_the_longest_record_an_attacker_can_write_is_redacted_in_a_moment(seed: str) -> None:
    text, begun = seed * (LONGEST // len(seed)), time.process_time()
    redacted_error(text)
    assert time.process_time() - begun < 0.6  # a pattern that tried every place anew took 2 s and more


def test_a_path_is_logged_with_words_of_our_own_addresses_and_row_numbers_only(written: StringIO) -> None:
    for path in ("/admin/crm/profile/12/change/", f"/api/v1/profiles/{PHONE}/", "/admin/Anna Li/", f"/v1/{NAME}/", "/"):
        log_response("Not Found: %s", path, response=HttpResponseNotFound(), request=None)
    lines = [line.partition("Not Found: ")[2] for line in written.getvalue().splitlines() if "Not Found: " in line]
    shown = ["/admin/crm/profile/12/change/", "/api/v1/profiles/***/", "/admin/***/", "/v1/***/", "/"]
    assert set(lines) == set(shown)


@shared_task(name="tests.fails")
def fails(number: int) -> None:
    raise ValueError(f"{NAME!r}, {PHONE}")


def test_a_task_that_fails_tells_which_and_where_but_nothing_of_whom(written: StringIO) -> None:
    fails.apply(args=(7,))
    assert "Task tests.fails[" in written.getvalue()
    assert "raised unexpected: ValueError" in written.getvalue()
    assert clean(written.getvalue())


def _dies(*_: Any) -> None:
    raise ValueError(f"{NAME!r}, {PHONE}")


def test_a_process_that_dies_prints_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        _dies()
    except ValueError as error:
        logs._say(type(error), error, error.__traceback__)
    printed = capsys.readouterr().err
    assert "ValueError: '***', 138****8000" in printed
    assert "in _dies" in printed
    assert sys.excepthook is logs._say or "pytest" in sys.modules
    assert threading.excepthook is not threading.__excepthook__


def test_mail_about_an_error_has_the_traceback_without_values_and_nothing_of_the_request(settings: Any) -> None:
    settings.DEBUG, settings.ADMINS = False, [("", "ops@example.com")]
    request = RequestFactory().post(
        f"/admin/crm/profile/?q={PHONE}", {"name": NAME}, headers={"Cookie": f"sessionid={OPENID}"}
    )
    try:
        secret = f"{NAME} {EMAIL}"
        _dies(secret)
    except ValueError:
        logging.getLogger("django.request").exception(
            "Internal Server Error: %s", request.get_full_path(), extra={"request": request}
        )
    letter = mail.outbox[0]
    assert isinstance(letter, mail.EmailMultiAlternatives)
    assert "POST /admin/crm/profile/\n" in letter.body
    assert "ValueError" in letter.body
    assert "in _dies" in letter.body
    assert clean(letter.subject + str(letter.body) + str(letter.alternatives))
    assert "Settings" not in letter.body
