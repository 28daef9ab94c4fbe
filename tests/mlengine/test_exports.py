"""Rows leave in groups or not at all, each export is on record, and nothing in a file is a formula."""

import csv
import io
import warnings
from typing import Any

import polars as pl
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from crm.models import PersonalDataAccess, Profile, ProfileAlias, RowExport
from mlengine import exports
from mlengine.exports import EXEMPT, Refused, Wanted
from tests import factories
from tests.config.test_admin_access import member
from tests.factories import NOW

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pandas and its friends warn while they are imported
    from pycanon import anonymity as pycanon

pytestmark = pytest.mark.django_db


def crowd(count: int = 120, **facts: Any) -> list[Profile]:
    """Return people of two cities, three ages and two incomes, each combination ten times in 120."""
    return [
        factories.profile(
            f"crowd-{n}",
            name=f"张小{n}",
            **{"city": ("杭州", "宁波")[n % 2], "province": "浙江", "age_band": ("18-24", "25-34", "35-44")[n % 3]}
            | {"attributes": {"income": ("low", "high")[n // 6 % 2]}}
            | facts,
        )
        for n in range(count)
    ]


def wanted(*columns: str, generalised: bool = False, **filters: Any) -> Wanted:
    return Wanted(columns=columns, purpose="survey", recipient="ACME", filters=filters, generalised=generalised)


def export(asked: Wanted) -> tuple[pl.DataFrame, RowExport]:
    body, record = exports.export(asked, by=User.objects.get_or_create(username="mei")[0], now=NOW)
    text = body.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    return pl.DataFrame(rows[1:], schema=rows[0], orient="row"), record


def recomputed(rows: pl.DataFrame, quasi: list[str], sensitive: list[str]) -> tuple[int, int | None]:
    import pandas as pd

    frame = pd.DataFrame(rows.to_dict(as_series=False))
    return pycanon.k_anonymity(frame, quasi), pycanon.l_diversity(frame, quasi, sensitive) if sensitive else None


def test_rows_in_which_nobody_stands_alone_leave_as_they_are() -> None:
    crowd()
    rows, record = export(wanted("city", "age_band"))
    assert recomputed(rows, ["city", "age_band"], []) == (record.k, record.l) == (20, None)
    assert (record.rows, record.left_out, record.levels, record.grade) == (120, 0, {}, 3)
    assert set(rows.columns) == {"city", "age_band"}


def test_with_a_trait_groups_have_ten_people_and_two_different_values() -> None:
    crowd()
    rows, record = export(wanted("city", "age_band", "income"))
    assert recomputed(rows, ["city", "age_band"], ["income"]) == (record.k, record.l) == (20, 2)
    Profile.objects.filter(city="宁波").update(attributes={"income": "low"})
    with pytest.raises(Refused, match="share a secret"):
        export(wanted("city", "age_band", "income"))


def test_one_who_stands_alone_keeps_the_rows_at_home_until_they_are_made_coarser() -> None:
    crowd()
    factories.profile(name="李四", city="拉萨", province="西藏", age_band="65+")
    with pytest.raises(Refused, match="only 1 people"):
        export(wanted("city", "age_band", "province"))
    rows, record = export(wanted("city", "age_band", "province", generalised=True))
    assert recomputed(rows, ["city", "age_band", "province"], []) == (record.k, None)
    assert record.k >= 5
    assert (record.left_out, "拉萨" in rows["city"].to_list()) == (1, False)
    assert [(one.grade, bool(one.refused), bool(one.sha256)) for one in RowExport.objects.order_by("pk")] == [
        (2, True, False),
        (3, False, True),
    ]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_handful_of_people_never_leaves(count: int) -> None:
    crowd(count)
    for generalised in (False, True):
        with pytest.raises(Refused):
            export(wanted("city", generalised=generalised))
    assert RowExport.objects.filter(refused="").count() == 0


def test_names_and_identifiers_are_in_no_file_and_merged_and_restricted_people_not_twice_or_at_all() -> None:
    people = crowd()
    ProfileAlias.objects.create(duplicate=people[0], canonical=people[6], reason="same", merged_at=NOW)
    Profile.objects.filter(pk=people[1].pk).update(restricted_at=NOW)
    body, record = exports.export(wanted("city", "income"), by=User.objects.create(username="mei"), now=NOW)
    assert record.rows == 118
    assert "张小" not in body.decode()
    assert "crowd-" not in body.decode()
    for column in ("name", "id", "attributes", "identifiers"):
        with pytest.raises(ValueError, match="No such columns"):
            wanted("city", column)
    with pytest.raises(ValueError, match="No such filters"):
        wanted("city", identifiers__value="13800138000")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    crowd(20, city=f"{start}HYPERLINK(1)")
    rows, _record = export(wanted("city"))
    assert {value[0] for value in rows["city"].to_list()} == {"'"}


def test_an_export_is_in_the_log_of_accesses_with_k_and_l() -> None:
    crowd()
    export(wanted("city", "income"))
    (noted,) = PersonalDataAccess.objects.all()
    assert (noted.action, noted.actor, noted.count) == ("export", "mei", 120)
    assert noted.what == "rows: city, income (k=60, l=2)"
    assert noted.reason == "survey → ACME"


def test_exempt_is_what_is_named_and_nothing_else() -> None:
    assert set(EXEMPT) == {"audit bundle", "portability pack", "hand-off to a channel provider"}
    assert all("PIPL" in why for why in EXEMPT.values())
    assert exports.must_keep_groups("rows")
    assert not exports.must_keep_groups("audit bundle")


# -- in the admin --


def ask(client: Client, *columns: str, **facts: Any) -> Any:
    told = {"purpose": "survey", "recipient": "ACME", "columns": columns}
    return client.post(reverse("admin:crm_rowexport_add"), told | facts)


def test_compliance_downloads_a_file_and_reads_why_another_is_refused() -> None:
    crowd()
    client = member("Compliance")
    assert "Rows without names" in client.get(reverse("admin:crm_rowexport_add")).content.decode()
    given = ask(client, "city")
    assert given["Content-Type"].startswith("text/csv")
    assert "k60.csv" in given["Content-Disposition"]
    factories.profile(city="拉萨")
    refused = ask(client, "city")
    assert refused.status_code == 409
    assert "only 1 people" in refused.content.decode()
    assert ask(client, "city", generalised="on").status_code == 200
    history = client.get(reverse("admin:crm_rowexport_changelist")).content.decode()
    assert "refused" in history


def test_without_a_purpose_a_recipient_or_columns_nothing_is_exported() -> None:
    crowd()
    client = member("Compliance")
    for answer in (ask(client), ask(client, "city", purpose=""), ask(client, "city", recipient=" ")):
        assert "text/html" in answer["Content-Type"]
    assert not RowExport.objects.exists()


@pytest.mark.parametrize("group", ["Marketing", "Analyst"])
def test_who_has_no_permission_to_export_has_none(group: str) -> None:
    crowd()
    assert ask(member(group), "city").status_code == 403
    assert not RowExport.objects.exists()
