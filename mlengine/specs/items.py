"""What is asked of items: which somebody will want, when again, and which go together.

What a recommender learns from (tastes, order, friends, texts) is a recipe of one spec and no spec of its own: a person
gets one list, so they compete for it, in a search or because somebody asks for one.
"""

from typing import Final

from mlengine.specs.spec import DAY, Spec

TASTES: Final = ("item_knn", "ease", "ials", "infinite", "tastes", "social")

COMPANIONS: Final = Spec(
    name="companions",
    title="Item companions",
    description="Which items go with an item: in one basket, with the same people, and looked at next.",
    answers="link",
    task="mlengine.estimators.companions.Companions",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="ndcg_at_10",
    min_profiles=50,
    min_events=1_000,
    min_days=56,
    backtest_cutoffs=2,
)

REPURCHASE: Final = Spec(
    name="repurchase",
    title="Repurchase",
    description="When each person will want an item, or anything of a category, again.",
    answers="repurchase",
    task="mlengine.estimators.repurchase.Repurchase",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="ndcg_at_10",
    min_profiles=50,
    min_events=1_000,
    min_days=56,
    backtest_cutoffs=3,
)

RECOMMENDATIONS: Final = Spec(
    name="recommendations",
    title="Recommendations",
    description="The items that each person is most likely to buy in the next 28 days, out of all that is bought.",
    answers="recommendation",
    task="mlengine.estimators.recommendations.Recommendations",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="ndcg_at_10",
    min_profiles=50,
    min_events=1_000,
    min_days=56,
    parameters={"k": 20, "recommender": "blend", "new_only": False, "fresh": 2},
    search={"recommender": ("blend", "own_history", *TASTES, "transitions", "sasrec", "sequence_blend", "content")},
)

DISCOVERY: Final = Spec(
    name="discovery",
    title="Discovery",
    description="The items that each person has never bought and is most likely to try in the next 28 days.",
    answers="recommendation",
    task="mlengine.estimators.recommendations.Recommendations",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="ndcg_at_10",
    min_profiles=50,
    min_events=1_000,
    min_days=56,
    backtest_cutoffs=2,
    parameters={"k": 20, "recommender": "blend", "new_only": True},
    search={"recommender": ("blend", *TASTES, "transitions", "sasrec", "sequence_blend", "content")},
)
