"""Pages of segments: overlap, reach, versions with what each changed, snapshots, the exact count that follows."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from campaigns import rules
from campaigns.admin.segment_words import catalogue
from campaigns.models import Segment
from campaigns.rules import changes, scope
from campaigns.rules.sql import Statement
from campaigns.segmenting import counting, lists, overlaps, segments, snapshots
from campaigns.segmenting.counting import Count, Overlap
from crm import merging, partitions
from crm.addresses import ADDRESSES
from crm.database_roles import as_owner
from crm.models import JobRun, Profile
from tests import factories
from tests.campaigns import factories as campaigns
from tests.campaigns import rule_oracle as oracle
from tests.campaigns.factories import NOW
from tests.crm import consents
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db
LOCALS = {"field": "city", "is": "in", "value": ["上海"]}


@pytest.fixture
def ann() -> Client:
    return logged_in(member("Marketing", "ann"), second_factor=True)


def ask(client: Client, name: str, rule: Any, **more: str) -> Any:
    return client.post(reverse(f"admin:campaigns_segment_{name}"), {"rule": json.dumps(rule)} | more)


def happened(source: int, profile: int, kind: str) -> None:
    partitions.ensure([NOW.date()])
    with connection.cursor() as cursor:
        cursor.execute(oracle.EVENT, [source, profile, None, kind, "", None, "", "{}", NOW, NOW])


def person(number: int, **facts: Any) -> Profile:
    return campaigns.person(number, consent=False, **facts)


def exactly(value: int) -> Count:
    return counting.exactly(value)


def test_the_overlap_tells_both_shares_and_how_alike_they_are(ann: Client) -> None:
    for number in range(4):
        person(number, city="上海" if number else "北京", gender="female" if number < 2 else "")
    other = campaigns.segment("women", {"all": [{"field": "gender", "is": "is", "value": "female"}]})
    page = ask(ann, "overlap", LOCALS, other=str(other.pk)).content.decode()
    assert "33 %" in page  # one of three
    assert "50 %" in page  # one of two
    assert "25.0 %" in page  # one of four
    assert ask(ann, "overlap", LOCALS, other="none").status_code == 404


@pytest.mark.parametrize(
    ("first", "second", "both", "jaccard", "apart"),
    [(100, 100, 100, 1.0, 0.0), (100, 100, 0, 0.0, 140.0), (100, 25, 25, 0.25, 35.0), (0, 0, 0, None, 0.0)],
)
def test_circles_lie_as_far_apart_as_the_groups_are_alike(
    first: int, second: int, both: int, jaccard: float | None, apart: float
) -> None:
    found = Overlap(first=exactly(first), second=exactly(second), both=exactly(both))
    assert overlaps.alike(found).jaccard == jaccard
    drawn = overlaps.circles(found)
    assert drawn.apart == pytest.approx(apart, abs=0.2)
    assert drawn.middle_of_first - drawn.first >= 0
    assert drawn.middle_of_second + drawn.second <= drawn.width


def test_who_can_be_reached_is_told_with_every_reason(ann: Client) -> None:
    purpose = consents.purpose()
    campaigns.person(1)
    person(2)
    person(3, email=False)
    page = ask(ann, "reachable", {"all": []}, purpose=purpose.code).content.decode()
    assert page.count("<details") == 1 + len(ADDRESSES)  # each channel by itself, and all of them together
    assert 'role="alert"' in ask(ann, "reachable", {"all": []}, purpose="none").content.decode()


def test_members_are_shown_masked(ann: Client) -> None:
    person(1, name="王小明", city="上海")
    page = ask(ann, "people", LOCALS).content.decode()
    assert "王*" in page
    assert "小明" not in page


def test_whoever_may_not_see_people_gets_the_sentence_and_no_figure() -> None:
    analyst = logged_in(member("Analyst"), second_factor=True)
    person(1, city="上海")
    page = ask(analyst, "preview", LOCALS).content.decode()
    assert "上海" in page
    assert "data-count" not in page
    for name in ("people", "reachable", "overlap", "exact"):
        assert ask(analyst, name, LOCALS).status_code == 403
    assert "last_size" not in analyst.get(reverse("admin:campaigns_segment_changelist")).content.decode()


def test_the_exact_count_follows_in_the_background(ann: Client) -> None:
    person(1, city="上海")
    address = ask(ann, "exact", LOCALS).json()["address"]
    assert ann.get(address).json() == {"over": False}
    job = JobRun.objects.get(kind=counting.KIND)
    assert counting.run(job, lambda: NOW + timedelta(days=1))
    assert 'data-count="1"' in ann.get(address).json()["html"]
    another = logged_in(member("Marketing", "bo"), second_factor=True)
    assert another.get(address).status_code == 404
    assert ask(ann, "exact", {"all": 3}).status_code == 400


def test_a_version_tells_which_conditions_came_and_went(ann: Client) -> None:
    one = campaigns.segment("locals", {"all": [LOCALS]})
    women = {"field": "gender", "is": "is", "value": "female"}
    segments.save(one, {"all": [LOCALS, women]}, None, NOW)
    segments.save(one, {"any": [women, LOCALS]}, None, NOW)
    page = ann.get(reverse("admin:campaigns_segment_change", args=[one.pk])).content.decode()
    assert page.count("<ins>") == 1
    assert "joined differently" in page
    assert page.count("data-rule=") == 2  # of all versions but the present one


@pytest.mark.parametrize(
    ("old", "new", "came", "went", "regrouped"),
    [
        ({"all": []}, {"all": [LOCALS]}, 1, 0, False),
        ({"all": [LOCALS]}, {"all": [LOCALS]}, 0, 0, False),
        ({"all": [LOCALS]}, {"none": [LOCALS]}, 0, 0, True),
        ({"all": [LOCALS, LOCALS]}, {"all": [LOCALS]}, 0, 1, False),
    ],
)
def test_changes_between_rules(old: Any, new: Any, came: int, went: int, regrouped: bool) -> None:
    found = changes.between(rules.parse(old), rules.parse(new))
    assert (len(found.came), len(found.went), found.regrouped) == (came, went, regrouped)


def test_a_snapshot_shows_who_came_and_who_left(ann: Client) -> None:
    one = campaigns.segment("locals", {"all": [LOCALS]})
    left, came = person(1, city="上海", name="王一"), person(2, name="李二")
    snapshots.take(one, NOW)
    Profile.objects.filter(pk=left.pk).update(city="")
    Profile.objects.filter(pk=came.pk).update(city="上海")
    ann.post(reverse("admin:campaigns_segment_take", args=[one.pk]))
    taken = one.snapshots.latest("taken_at")
    page = ann.get(reverse("admin:campaigns_segment_snapshot", args=[taken.pk])).content.decode()
    assert f"#{left.pk}<" in page
    assert f"#{came.pk}<" in page
    assert "王*" in page
    assert "王一" not in page


@pytest.mark.django_db(transaction=True)
def test_what_is_usual_is_offered_and_what_few_have_is_not() -> None:
    for number in range(40):
        factories.profile(city="乌有乡" if number < 3 else "上海")
    with as_owner(), connection.cursor() as cursor:  # what autovacuum does
        cursor.execute("ANALYZE crm_profile")
    assert catalogue()["common"]["profile.city"] == ["上海"]


# -- a count that begins with a set --

BOUGHT = {"event": "purchase"}
COVERED = [BOUGHT, {"all": [{"none": [BOUGHT]}, {"event": "view"}]}, {"any": [BOUGHT, {"event": "view"}]}]
UNCOVERED = [LOCALS, {"none": [BOUGHT]}, {"any": [BOUGHT, LOCALS]}, {"event": "purchase", "measure": {"never": True}}]


@pytest.mark.parametrize(
    ("rule", "leaves_people_alone"), [*((r, True) for r in COVERED), *((r, False) for r in UNCOVERED)]
)
def test_a_count_reads_people_only_where_the_rule_asks_of_them(rule: Any, leaves_people_alone: bool) -> None:
    made = Statement(scope=scope.everybody(), now=NOW)
    assert ("crm_profile p" not in made.counted(rules.parse(rule))) is leaves_people_alone


@pytest.mark.parametrize("rule", [*COVERED, *UNCOVERED])
def test_a_count_is_as_many_as_there_are_members(rule: Any) -> None:
    source = factories.source()
    people = [
        factories.profile(city="上海" if number % 2 else "", restricted_at=None if number else NOW)
        for number in range(6)
    ]
    for place, one in enumerate(people[:5]):
        happened(source.pk, one.pk, "purchase" if place % 2 else "view")
    merging.join(people[1].pk, people[4].pk, now=NOW, reason="")
    found = segments.fetched(segments.compile(rules.parse(rule), NOW))
    assert counting.exact(rules.parse(rule), NOW) == len(found)


def test_a_list_is_shown_with_its_files(ann: Client) -> None:
    made = lists.create("guests", None, NOW)
    page = ann.get(reverse("admin:campaigns_segment_change", args=[made.pk])).content.decode()
    assert 'id="upload-list"' in page
    assert Segment.objects.get().kind == Segment.Kind.LIST
