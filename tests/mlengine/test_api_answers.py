"""What was learned about one person, over REST."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm import merging
from crm.models import JobRun
from mlengine.models import Cluster, ClusterMember, Recommendation, Score
from tests import api, factories
from tests.api import NOW, three_models  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("three_models")]

REASON = {
    "code": "silence",
    "feature": "days_since_last_purchase",
    "contribution": 0.7,
    "values": {"days": 40, "gap": 6.5},
    "value": 40.0,
}


def reading(profile_id: int, what: str, client=None, **query: object):  # type: ignore[no-untyped-def]
    client = client or api.caller("scores:read", "clusters:read", "recommendations:read")
    return client.get(f"/api/v1/profiles/{profile_id}/{what}/", query)


def recommend(profile, run, *codes: str) -> None:  # type: ignore[no-untyped-def]
    for rank, code in enumerate(codes, start=1):
        item, reason = factories.item(code, title=f"Item {code}"), {"code": "bought_before", "times": rank}
        Recommendation.objects.create(profile=profile, run=run, item=item, rank=rank, value=1 / rank, reason=reason)


def test_a_score_comes_with_its_reasons_in_the_readers_language() -> None:
    profile = factories.profile()
    run = api.run("churn")
    Score.objects.create(profile=profile, run=run, value=0.81, reasons=[REASON])
    told = reading(profile.pk, "scores").json()
    assert told == {
        "results": [
            {
                "spec": "churn",
                "value": 0.81,
                "unit": "probability",
                "low": None,
                "high": None,
                "facts": None,
                "reasons": [
                    {
                        "code": "silence",
                        "feature": "days_since_last_purchase",
                        "contribution": 0.7,
                        "text": "No purchase for 40 days; usually every 6.5",
                    }
                ],
                "cutoff": "2026-03-01T20:00:00+08:00",
                "version": run.version_id,
            }
        ]
    }
    chinese = api.bearer(api.token("scores:read", of=api.application(name="b")))
    chinese.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"
    assert reading(profile.pk, "scores", chinese).json()["results"][0]["reasons"][0]["text"].startswith("已 40 天")


def test_only_the_latest_finished_run_answers() -> None:
    profile = factories.profile()
    for days, value, finished_at in ((3, 0.1, NOW), (2, 0.2, NOW), (1, 0.3, None)):
        run = api.run("churn", NOW - timedelta(days=days), finished_at)
        Score.objects.create(profile=profile, run=run, value=value)
    assert [row["value"] for row in reading(profile.pk, "scores").json()["results"]] == [0.2]


def test_recommendations_come_in_order_with_their_items_and_reasons() -> None:
    profile = factories.profile()
    recommend(profile, api.run("recommendations"), "a", "b", "c")
    told = reading(profile.pk, "recommendations", k=2).json()
    assert (told["basis"], told["spec"]) == ("personal", "recommendations")
    assert [(row["rank"], row["item"]["title"], row["reason"]) for row in told["results"]] == [
        (1, "Item a", {"code": "bought_before", "times": 1}),
        (2, "Item b", {"code": "bought_before", "times": 2}),
    ]


def test_an_item_that_has_ended_is_not_recommended_any_more() -> None:
    profile, run = factories.profile(), api.run("recommendations")
    recommend(profile, run, "a", "b", "c")
    ended = Recommendation.objects.get(rank=2).item
    ended.available_to = timezone.now() - timedelta(seconds=1)
    ended.save()
    told = reading(profile.pk, "recommendations").json()["results"]
    assert [(row["rank"], row["item"]["code"]) for row in told] == [(1, "a"), (2, "c")]


@pytest.mark.parametrize("facts", [{}, {"personalisation": False}])
def test_a_person_of_whom_nothing_may_be_said_gets_what_is_popular(facts: dict[str, Any]) -> None:
    run = api.run("recommendations")
    recommend(factories.profile(), run, "a", "b", "c")
    items = {row.item.code: row.item_id for row in Recommendation.objects.select_related("item")}
    run.summary = {"people": 40, "top": [[items["c"], 30], [items["a"], 10], [999999999, 5]]}
    run.save()
    profile = factories.profile(**facts)
    if facts:
        recommend(profile, run, "secret")
    told = reading(profile.pk, "recommendations").json()
    assert told["basis"] == "popular"
    assert [(row["rank"], row["item"]["code"], row["value"], row["reason"]) for row in told["results"]] == [
        (1, "c", 0.75, {"code": "popular"}),
        (2, "a", 0.25, {"code": "popular"}),
    ]


def test_before_any_model_serves_the_answer_is_empty_and_says_so() -> None:
    profile = factories.profile()
    assert reading(profile.pk, "recommendations").json() == {
        "basis": "none",
        "spec": None,
        "cutoff": None,
        "session_items": 0,
        "results": [],
    }
    assert reading(profile.pk, "scores").json() == {"results": []}


def test_who_switched_personalisation_off_has_no_scores_and_segments() -> None:
    house = api.house()
    assert reading(house.profile.pk, "clusters").json()["results"][0]["name"] == {"en": "Champions"}
    house.profile.personalisation = False
    house.profile.save()
    client = api.bearer(api.token("scores:read", "clusters:read", of=api.application(name="b")))
    for what in ("scores", "clusters"):
        assert reading(house.profile.pk, what, client).json() == {"results": []}


def test_a_merged_profile_is_answered_for_as_the_one_that_was_kept() -> None:
    house, duplicate = api.house(), factories.profile()
    merging.merge(duplicate.pk, house.profile.pk, now=NOW, reason="test", source=factories.source())
    client = api.caller("scores:read", "clusters:read", "recommendations:read")
    for what in ("scores", "clusters", "recommendations"):
        asked = reading(duplicate.pk, what, client)
        assert asked.json()["results"]
        assert asked.json() == reading(house.profile.pk, what, client).json()


def test_a_persons_browser_may_use_any_of_her_merged_profiles() -> None:
    from tests.config.test_api_access import person

    house, duplicate = api.house(), factories.profile()
    before = person(duplicate.pk)
    merging.merge(duplicate.pk, house.profile.pk, now=NOW, reason="test", source=factories.source())
    for id in (duplicate.pk, house.profile.pk):
        assert reading(id, "recommendations", before).json()["basis"] == "personal"
        assert reading(id, "recommendations", person(house.profile.pk)).status_code == 200


@pytest.mark.parametrize("k", ["0", "-1", "101", "x", "1.5", "9" * 30, "%00", "", "k"])
def test_a_bad_k_is_named(k: str) -> None:
    client = api.caller("recommendations:read")
    answer = client.get(f"/api/v1/profiles/{factories.profile().pk}/recommendations/?k={k}")
    assert api.error(answer) == (400, "invalid", "k")


def test_answers_that_did_not_change_are_not_sent_again() -> None:
    house = api.house()
    client = api.caller("scores:read", "recommendations:read")
    for what in ("scores", "recommendations"):
        first = reading(house.profile.pk, what, client)
        address = f"/api/v1/profiles/{house.profile.pk}/{what}/"
        assert client.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
        newer = api.run("churn" if what == "scores" else "recommendations", NOW + timedelta(days=1))
        if what == "scores":
            Score.objects.create(profile=house.profile, run=newer, value=0.5)
        else:
            recommend(house.profile, newer, "new")
        assert client.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


@pytest.mark.parametrize(("what", "queries"), [("scores", 3), ("clusters", 3), ("recommendations", 4)])
def test_an_answer_takes_few_queries(what: str, queries: int, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    # The token; who is meant, with all merges; the answers; of recommendations also the items.
    profile = factories.profile()
    recommend(profile, api.run("recommendations"), *(f"i{number}" for number in range(30)))
    Score.objects.create(profile=profile, run=api.run("churn"), value=0.5)
    client = api.caller("scores:read", "clusters:read", "recommendations:read")
    reading(profile.pk, what, client, k=30)  # a process remembers what holds for everybody
    with django_assert_num_queries(queries):
        assert reading(profile.pk, what, client, k=30).status_code == 200


def test_segment_members_are_walked_within_one_run() -> None:
    segment = Cluster.objects.create(spec="rfm", code=1, name={"en": "Champions"}, first_seen_at=NOW)
    first, people = api.run("rfm"), [factories.profile() for _ in range(7)]
    for profile in people:
        ClusterMember.objects.create(profile=profile, run=first, cluster=segment)
    client, address, seen = api.caller("clusters:read"), f"/api/v1/clusters/{segment.pk}/members/?limit=3", []
    while address:
        page = client.get(address).json()
        seen += [row["profile_id"] for row in page["results"]]
        address = page["next"]
        newer = api.run("rfm", NOW + timedelta(days=len(seen)))
        ClusterMember.objects.create(profile=factories.profile(), run=newer, cluster=segment)
    assert seen == [profile.pk for profile in people]
    unfinished = api.run("rfm", NOW + timedelta(days=99), finished_at=None)
    ClusterMember.objects.create(profile=people[0], run=unfinished, cluster=segment)
    assert client.get(f"/api/v1/clusters/{segment.pk}/members/?run={unfinished.pk}").json()["results"] == []


def test_model_versions_come_with_their_metrics_and_no_number_that_json_lacks() -> None:
    house = api.house()
    house.version.metrics.create(
        kind="drift", subject="churn", name="psi", value=float("nan"), high=float("inf"), cutoff=NOW
    )
    told = api.caller("models:read").get("/api/v1/models/?spec=churn&stage=champion").json()["results"]
    assert [(row["spec"], row["number"], row["stage"]) for row in told] == [("churn", 1, "champion")]
    assert [(row["name"], row["value"], row["high"]) for row in told[0]["metrics"]] == [
        ("roc_auc", 0.9, None),
        ("psi", None, None),
    ]


def test_a_model_version_tells_limits_the_verdict_of_each_group_a_block_and_who_went_past_it() -> None:
    version = api.run("churn").version
    group = {"group": "65+", "verdict": "unfair", "value": 0.123, "low": 0.1, "high": 0.15, "gap": 0.4, "people": 57}
    measure = {"name": "selection_rate", "kind": "ratio", "limit": 0.8, "groups": [group]}
    unfair = {"attribute": "age_band", "group": "65+", "measure": "selection_rate", "gap": 0.4}
    report = {"attributes": [{"name": "age_band", "measures": [measure]}], "unfair": [unfair]}
    version.card, version.promoted_at = {"details": {"fairness": report}}, None
    version.save()
    client, address = api.caller("models:read"), f"/api/v1/models/{version.pk}/"
    told = client.get(address).json()["fairness"]
    assert told == {
        "limits": {"selection_rate": 0.8, "equal_opportunity": 0.1, "calibration_gap": 0.1, "ndcg_at_10": 0.8},
        "verdicts": [
            {"attribute": "age_band", "group": "65+", "measure": "selection_rate"}
            | {"kind": "ratio", "limit": 0.8, "verdict": "unfair"}
        ],
        "blocked": True,
        "why": "it treats groups of people unequally (age_band 65+ by selection_rate (0.40))",
        "overridden": False,
    }
    version.promoted_at = NOW
    version.save()
    assert client.get(address).json()["fairness"]["overridden"]
    version.card = {}
    version.save()
    told = client.get(address).json()["fairness"]
    assert (told["verdicts"], told["blocked"], told["why"], told["overridden"]) == ([], False, "", False)


def test_a_training_is_started_once_and_watched() -> None:
    client = api.caller("models:train", "jobs:read", "jobs:control")
    started = client.post("/api/v1/jobs/", {"spec": "churn"}, content_type="application/json")
    assert (started.status_code, started.json()["status"], started.json()["percent"]) == (202, "queued", None)
    again = client.post("/api/v1/jobs/", {"spec": "churn"}, content_type="application/json")
    assert again.json()["id"] == started.json()["id"]
    job = JobRun.objects.get()
    job.start(NOW)
    job.advance(NOW, done=3, total=4, step="learn")
    watched = client.get(f"/api/v1/jobs/{job.pk}/").json()
    assert (watched["status"], watched["percent"], watched["step"]) == ("running", 75, "learn")


def test_a_job_is_paused_and_cancelled_once() -> None:
    job = JobRun.objects.create(kind="train", title="Train", created_at=NOW)
    client = api.caller("jobs:control")
    assert client.post(f"/api/v1/jobs/{job.pk}/pause/").json()["status"] == "paused"
    assert api.error(client.post(f"/api/v1/jobs/{job.pk}/pause/")) == (409, "conflict", None)
    assert client.post(f"/api/v1/jobs/{job.pk}/cancel/").json()["status"] == "cancelled"
    assert api.error(client.post(f"/api/v1/jobs/{job.pk}/cancel/")) == (409, "conflict", None)


def test_jobs_are_chosen_by_kind_and_status_newest_first() -> None:
    for number, status in enumerate(["failed", "queued", "failed"]):
        JobRun.objects.create(kind="train", title=str(number), status=status, created_at=NOW)
    told = api.caller("jobs:read").get("/api/v1/jobs/?status=failed&kind=train").json()["results"]
    assert [row["title"] for row in told] == ["2", "0"]


def test_a_model_version_tells_what_it_was_made_of() -> None:
    version = api.run("churn").version
    card = {"data": {"from": "2025-01-01", "until": "2026-03-01", "profiles": 7}, "importances": {"recency": 2.0}}
    version.card = card | {"lineage": {"lake": {"digest": "abc"}}, "cause": {"code": "first", "values": {}}}
    version.save()
    told = api.caller("models:read").get(f"/api/v1/models/{version.pk}/lineage/").json()
    assert (told["data_from"], told["data_until"], told["features"]) == ("2025-01-01", "2026-03-01", ["recency"])
    assert (told["learned_from"], told["trained_because"]["code"]) == ({"lake": {"digest": "abc"}}, "first")
    assert "7" not in str(told["data_from"]) + str(told["recipe"])  # how many people there are is not told
    assert api.caller("scores:read").get(f"/api/v1/models/{version.pk}/lineage/").status_code == 403
