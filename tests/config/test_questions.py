"""From the dashboard to every answer of the models in two clicks, and to a segment made of it."""

from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from campaigns import rules
from config.questions import HELPED, QUESTIONS
from mlengine.models import ModelVersion, PredictionRun
from mlengine.specs import SPECS
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 1, 16, tzinfo=UTC)


class Links(HTMLParser):
    """The addresses within the section of questions."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.found = False, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "section":
            self.inside = told.get("id") == "questions"
        if tag == "a" and self.inside and told.get("href"):
            self.found.append(unescape(str(told["href"])))


def links(client: Client) -> list[str]:
    parser = Links()
    parser.feed(client.get(reverse("admin:index")).content.decode())
    return parser.found


@pytest.fixture
def _answered() -> None:
    for name in SPECS:
        version = ModelVersion.objects.create(spec=name, number=1, stage="champion", cutoff=AT, trained_at=AT)
        PredictionRun.objects.create(spec=name, version=version, cutoff=AT, started_at=AT, finished_at=AT)


def test_every_model_answers_a_question_and_every_rule_is_one() -> None:
    assert set(QUESTIONS) == set(SPECS)
    for question in QUESTIONS.values():
        if question.rule is not None:
            rules.parse({"all": [question.rule, HELPED]})


@pytest.mark.usefixtures("_answered")
def test_all_that_is_offered_opens() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    found = links(client)
    assert len(found) >= 2 * len(SPECS)
    assert {client.get(link).status_code for link in found} == {200}


@pytest.mark.usefixtures("_answered")
def test_a_segment_begins_with_the_rule_of_the_question() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    link = next(link for link in links(client) if link.startswith(reverse("admin:campaigns_segment_add")))
    page = unescape(client.get(link).content.decode())
    assert '{"all":[{"score":"churn","is":"top_share","value":0.2}]}' in page


@pytest.mark.parametrize("told", ["", "no json", '{"all": [{"score": "nobody"}]}', "[" * 5000, '{"all":1}'])
def test_a_link_with_a_broken_rule_begins_an_empty_segment(told: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(reverse("admin:campaigns_segment_add"), {"rule": told})
    assert page.status_code == 200
    assert '{"all":[]}' in unescape(page.content.decode())


def test_what_campaigns_cause_is_one_click_away_also_before_anything_was_learned() -> None:
    address = reverse("admin:mlengine_effects")
    for role in ("Marketing", "Analyst"):
        client = logged_in(member(role))
        assert address in links(client)
        assert "Start a campaign with a holdout" in client.get(address).content.decode()


@pytest.mark.usefixtures("_answered")
def test_who_leaves_and_whom_a_campaign_helps_begin_a_segment_together() -> None:
    client = logged_in(member("Marketing"))
    (link,) = (link for link in links(client) if "churn" in link and "uplift" in link)
    page = unescape(client.get(link).content.decode())
    assert '{"score":"churn","is":"top_share","value":0.2}' in page
    PredictionRun.objects.filter(spec="uplift").delete()
    assert not [link for link in links(client) if "churn" in link and "uplift" in link]  # no trial tells


@pytest.mark.usefixtures("_answered")
def test_nobody_is_offered_what_she_may_not_open() -> None:
    analyst, marketing = logged_in(member("Analyst")), logged_in(member("Marketing"))
    assert {analyst.get(link).status_code for link in links(analyst)} == {200}
    assert not any("segment/add" in link for link in links(analyst))
    assert {marketing.get(link).status_code for link in links(marketing)} == {200}
    assert any("segment/add" in link for link in links(marketing))


def test_before_anything_was_learned_the_questions_say_so() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    assert "nothing learned yet" in client.get(reverse("admin:index")).content.decode()
