"""Pieces of files checked and made into rows of ours: events, profiles, items. Loads Polars."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from crm import literals
from crm.ages import BANDS, today
from crm.checks import LIVE_FUTURE
from crm.coarse import LARGEST, is_coarse, openness
from crm.imports.columns import Table
from crm.imports.consents import TEXTS as CONSENT_TEXTS
from crm.imports.mapping import REFS, Mapping
from crm.models import Event, Item
from crm.traits import GENDERS

TEXTS = {"name": 200, "session": 128, "channel": 16}
LONGEST_REST = 32 * 1024
MOST_CATEGORIES = 2000  # different texts of one column in one piece of a file
KINDS = [kind.value for kind in Event.Kind]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The good rows, each with its ``line``; and (row, column, reason) of the others."""

    rows: pl.DataFrame
    wrong: list[tuple[int, str, str]]


def events(raw: pl.DataFrame, lines: pl.Series, mapping: Mapping, now: datetime) -> Checked:
    """Return events: references, item code, facts, and ``message_id`` or else ``content`` to make the key of."""
    table = Table(raw, mapping)
    table.refuse_nul()
    columns = [*_refs(table), *(table.text(target, most) for target, most in TEXTS.items())]
    kinds = table.text("kind", 16).str.to_lowercase().alias("kind")
    table.refuse(~kinds.is_in(KINDS), "kind", f"is not one of {', '.join(KINDS)}")
    columns += [
        table.require(kinds, "kind"),
        table.require(table.moment("occurred_at", now), "occurred_at"),
        table.text("item", 128),
        _currency(table),
        table.number("value", 2),
        table.number("quantity", 3),
        table.number("discount", 2),
        *_parted(table),
    ]
    if "message_id" in mapping.columns:
        columns.append(table.require(table.text("message_id", 200), "message_id"))
    else:
        columns.append(content(raw))
    return _checked(table, lines, columns)


def profiles(raw: pl.DataFrame, lines: pl.Series, mapping: Mapping, now: datetime) -> Checked:
    """Return profiles: references and facts."""
    table = Table(raw, mapping)
    table.refuse_nul()
    told = table.text("gender", 64).str.to_lowercase()
    gender = told.replace_strict(GENDERS, default="other").set(told.is_null(), None)
    born = table.moment("birthday", now)
    columns = [
        *_refs(table),
        *(
            table.text(target, most)
            for target, most in {"name": 200, "province": 64, "city": 64, "language": 16}.items()
        ),
        gender.alias("gender"),
        born.dt.date().alias("birth_date"),
        born.dt.month().cast(pl.Int16).alias("birth_month"),
        born.dt.day().cast(pl.Int16).alias("birth_day"),
        table.text("age_band", 16).fill_null(_age_bands(born, now)).alias("age_band"),
        _rest(table, "attributes"),
    ]
    return _checked(table, lines, columns)


def items(raw: pl.DataFrame, lines: pl.Series, mapping: Mapping, now: datetime) -> Checked:
    """Return items: kind, code and facts."""
    table = Table(raw, mapping)
    table.refuse_nul()
    kinds = table.text("kind", 16).str.to_lowercase().fill_null(Item.Kind.PRODUCT.value).alias("kind")
    table.refuse(~kinds.is_in([kind.value for kind in Item.Kind]), "kind", "is no kind of item")
    categories = table.text("categories", 1000).str.split("|")
    table.refuse(categories.list.eval(pl.element().str.len_chars() > 100).list.any(), "categories", "has one too long")
    begins, ends = (table.moment(name, now + LIVE_FUTURE * 1200) for name in ("available_from", "available_to"))
    table.refuse(begins >= ends, "available_to", "is not after available_from")
    columns = [
        kinds,
        table.require(table.text("code", 128), "code"),
        *(table.text(target, most) for target, most in {"title": 300, "body": 100_000, "brand": 100}.items()),
        pl.select(literals.array(pl.lit(categories))).to_series().alias("categories"),
        table.number("price", 2),
        _currency(table),
        begins,
        ends,
        _rest(table, "attributes"),
    ]
    return _checked(table, lines, columns)


def consents(raw: pl.DataFrame, lines: pl.Series, mapping: Mapping, now: datetime) -> Checked:
    """Return claims of consent; one of the future is refused, however near."""
    table = Table(raw, mapping)
    table.refuse_nul()
    told = {target: table.text(target, most) for target, most in CONSENT_TEXTS.items()}
    told |= {target: told[target].str.to_lowercase() for target in ("purpose", "state", "channel", "consent_kind")}
    columns = [
        *_refs(table),
        *(table.require(told[target], target) for target in ("purpose", "state")),
        *(column for target, column in told.items() if target not in ("purpose", "state")),
        table.require(table.moment("claimed_at", now - LIVE_FUTURE), "claimed_at"),
    ]
    return _checked(table, lines, columns)


TABLES = {"events": events, "profiles": profiles, "items": items, "consents": consents}


def _refs(table: Table) -> list[pl.Series]:
    given = table.mapping.columns.keys() | table.mapping.constants.keys()
    columns = [table.identifier(name) for name in REFS if name in given]
    nobody = columns[0].is_null()
    for column in columns[1:]:
        nobody = nobody & column.is_null()
    table.refuse(nobody & ~table.rows_refused(columns[0].name), columns[0].name, "is missing: nobody is meant")
    return columns


def _currency(table: Table) -> pl.Series:
    found = table.text("currency", 16).str.to_uppercase()
    table.refuse(~found.str.contains("^[A-Z]{3}$"), "currency", "is not a currency's three letters")
    return found.alias("currency")


def _rest(table: Table, name: str) -> pl.Series:
    rest = table.rest()
    if not rest.columns:
        return pl.repeat("{}", len(table.rows), dtype=pl.String, eager=True).alias(name)
    found = literals.json_objects(rest)
    table.refuse(found.str.len_bytes() > LONGEST_REST, rest.columns[0], "and the other columns are larger than 32 kB")
    return found.alias(name)


def _parted(table: Table) -> list[pl.Series]:
    """Return the columns that the mapping does not name as ``properties``, those that are coarse, and ``personal``."""
    whole = _rest(table, "properties")
    rest = table.rest()
    coarse = {name: _coarse(rest[name]) for name in rest.columns}
    if all(which.all() for which in coarse.values()):
        return [whole, pl.repeat(None, len(whole), dtype=pl.String, eager=True).alias("personal")]
    properties, personal = (
        literals.json_objects(
            rest.select(
                pl.when(which if wanted else ~which).then(pl.col(name)).alias(name) for name, which in coarse.items()
            )
        )
        for wanted in (True, False)
    )
    return [properties.alias("properties"), personal.set(personal == "{}", None).alias("personal")]


def _coarse(values: pl.Series) -> pl.Series:
    """Return which values of a column may lie open (nulls may); a text that is another in most rows is no category."""
    numbers = values.cast(pl.Float64, strict=False).abs() < LARGEST
    if openness(values.name) is None:
        return values.is_null()
    texts = values.filter(~numbers.fill_null(value=False)).unique().drop_nulls()
    if openness(values.name) == "word" and len(texts) > MOST_CATEGORIES:
        return values.is_null() | numbers.fill_null(value=False)
    bad = [text for text in texts if not is_coarse(values.name, text)]
    return values.is_null() | ~values.is_in(bad)


def content(raw: pl.DataFrame) -> pl.Series:
    """Return what tells rows apart that have no id: all that they say. Sorted, so that columns may change places."""
    parts = [pl.lit(f"{name}=") + pl.col(name).fill_null("") for name in sorted(raw.columns)]
    return raw.select(content=pl.concat_str(parts, separator="\x1f"))["content"]


def _age_bands(born: pl.Series, now: datetime) -> pl.Series:
    day = today(now)
    passed = (pl.col("m") < day.month) | ((pl.col("m") == day.month) & (pl.col("d") <= day.day))
    frame = pl.DataFrame({"y": born.dt.year(), "m": born.dt.month(), "d": born.dt.day()})
    age = pl.lit(day.year) - pl.col("y") - (~passed).cast(pl.Int32)
    band = pl.lit("65+")
    for end, name in reversed(BANDS):
        band = pl.when(age < end).then(pl.lit(name)).otherwise(band)
    return frame.select(pl.when(age.is_not_null()).then(band)).to_series()


def _checked(table: Table, lines: pl.Series, columns: list[pl.Series]) -> Checked:
    good, wrong = table.verdict()
    rows = pl.DataFrame([lines.alias("line"), *columns])
    return Checked(rows=rows if not wrong else rows.filter(good), wrong=wrong)
