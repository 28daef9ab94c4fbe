"""The ten items that people take: MovieLens-1M as ∞-AE cut it, MovieLens-100k, and LastFM with friends."""

import polars as pl

from tests.benchmarks.ml import DATA, Published, published


def million_cut() -> pl.DataFrame:
    """Return ∞-AE's split of MovieLens-1M; all ratings count alike."""
    ratings = pl.read_parquet(DATA / "ml1m" / "ml1m_ratings_infae_split.parquet")
    return ratings.select("user", "item", part="split_infae")


def hundred_thousand() -> pl.DataFrame:
    """Return MovieLens-100k's pairs; all ratings count alike."""
    ratings = pl.read_csv(DATA / "ml100k" / "ml-100k.inter.gz", separator="\t")
    return ratings.select(user="user_id:token", item="item_id:token")


def friends() -> pl.DataFrame:
    """Return LastFM as SocialLGN cut it: what people listen to, and whom they trust."""
    folder = DATA / "social_lastfm"
    parts = [
        pl.read_csv(folder / f"{name}_set.txt.gz").with_columns(part=pl.lit(part), friend=pl.lit(None, pl.Int64))
        for part, name in ((0, "train"), (2, "test"))
    ]
    known = pl.read_csv(folder / "trust.txt.gz").with_columns(part=pl.lit(0), item=pl.lit(None, pl.Int64))
    return pl.concat([*parts, known], how="diagonal")


LINES = published(
    Published(
        name="ML-1M fixed split",
        task="top_k",
        frame=million_cut,
        estimator="tastes",
        must={"ndcg_at_10": 0.347},
        aim={"ndcg_at_10": 0.36},
        published={"ndcg_at_10": 0.3282},
    ),
    Published(
        name="ML-100k three seeds",
        task="top_k",
        frame=hundred_thousand,
        estimator="tastes",
        must={"ndcg_at_10": 0.485},
        aim={"ndcg_at_10": 0.50},
        published={"ndcg_at_10": 0.475, "map_at_10": 0.146},
        seeds=(42, 0, 1),
    ),
    Published(
        name="LastFM with friends",
        task="social",
        frame=friends,
        estimator="friends",
        must={"ndcg_at_10": 0.248},
        aim={"ndcg_at_10": 0.257},
        published={"precision_at_10": 0.197, "recall_at_10": 0.203, "ndcg_at_10": 0.257},
    ),
)
