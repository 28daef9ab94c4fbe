"""What a template can see: mappings with a few known names, made of values that were read before; never a row.

A name stands in :data:`VARIABLES` or does not exist. Scores, identifiers, and traits that sources call personal are not
among them. A person's name is opened only for a template that shows it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.templating.filters import Missing
from campaigns.templating.sandbox import TemplateFailed
from crm import preference_links
from crm.chinese_names import COMPOUND_SURNAMES, SURNAMES
from crm.models import Item, Profile
from mlengine import recommending
from mlengine.because import say_to_her, titled
from mlengine.shelf import Candidate

MOST_RECOMMENDED = 10
Said = tuple[Candidate, Mapping[str, Any]]  # an item, and the numbers of its reason

# By path; a star stands for a place in a list, or for a name that is not ours.
VARIABLES: Mapping[str, Any] = {
    "profile.name": _("the whole name"),
    "profile.first_name": _("the given name"),
    "profile.salutation": _("Ms Wang, in the message's language; the name where the gender is not known"),
    "profile.gender": _("gender"),
    "profile.age_band": _("age band"),
    "profile.birth_month": _("birth month"),
    "profile.birth_day": _("birth day"),
    "profile.province": _("province"),
    "profile.city": _("city"),
    "profile.language": _("language"),
    "profile.attributes.*": _("a coarse attribute"),
    "recommendations": _("items for this person; popular ones for who does not want to be profiled"),
    "recommendations.*.title": _("title"),
    "recommendations.*.url": _("address"),
    "recommendations.*.image": _("picture"),
    "recommendations.*.price": _("price"),
    "recommendations.*.currency": _("currency"),
    "recommendations.*.brand": _("brand"),
    "recommendations.*.category": _("category"),
    "recommendations.*.code": _("code"),
    "recommendations.*.because": _("why, like “Because you bought …”"),
    "coupons.*.title": _("what a coupon is called; by the code of the item"),
    "coupons.*.code": _("the code that is shown at the till"),
    "coupons.*.url": _("address"),
    "coupons.*.ends_at": _("the day on which it ends"),
    "unsubscribe.url": _("the person's own page, where every consent can be withdrawn"),
    "sender.name": _("who sends the message"),
    "now": _("the moment of sending"),
}
NAMES = {"profile.name", "profile.first_name", "profile.salutation"}
TITLES = {("zh", "female"): "{}女士", ("zh", "male"): "{}先生", ("en", "female"): "Ms {}", ("en", "male"): "Mr {}"}


class Safe(Mapping[str, object]):
    """A read-only mapping for templates: a known name without a value is missing, an unknown one is an error."""

    __slots__ = ("_fallbacks", "_known", "_path", "_values")

    def __init__(
        self,
        path: str,
        values: Mapping[str, object],
        known: Sequence[str] = (),
        fallbacks: Mapping[str, object] | None = None,
    ) -> None:
        self._path, self._values, self._known = path, values, known
        self._fallbacks = {} if fallbacks is None else fallbacks

    def __getitem__(self, name: str) -> object:
        if not (name in self._values or name in self._known or "*" in self._known):
            raise KeyError(name)
        value = self._values.get(name)
        if value is None or value == "":
            path = f"{self._path}.{name}"
            value = self._fallbacks.get(path)
            return Missing(path) if value is None else value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._known or self._values)

    def __len__(self) -> int:
        return len(self._known or self._values)

    def __str__(self) -> str:
        return str(self._values.get("title") or "")


def known_of(prefix: str) -> tuple[str, ...]:
    """Return the names that follow a path.

    >>> known_of("sender")
    ('name',)
    """
    parts = [path.removeprefix(f"{prefix}.").split(".")[0] for path in VARIABLES if path.startswith(f"{prefix}.")]
    return tuple(dict.fromkeys(parts))


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a template shows, so that nothing else is read."""

    name: bool = False
    recommendations: bool = False
    coupons: frozenset[str] = frozenset()
    unsubscribe: bool = False

    @classmethod
    def of(cls, paths: set[str]) -> "Needs":
        """Return the needs of paths as ``profile.city``; a star needs all there is."""
        return cls(
            name=bool(NAMES & paths) or any(path in {"profile", "profile.*"} for path in paths),
            recommendations=any(path.split(".")[0] == "recommendations" for path in paths),
            coupons=frozenset(path.split(".")[1] for path in paths if path.startswith("coupons.")),
            unsubscribe=any(path.split(".")[0] == "unsubscribe" for path in paths),
        )


class Objects:
    """The objects of a batch of people: everything read at once, by a number of queries that does not grow."""

    def __init__(self, needs: Needs, fallbacks: Mapping[str, object], sender: str = "") -> None:
        self.needs, self.fallbacks = needs, fallbacks
        self.sender = sender or urlsplit(settings.PUBLIC_URL).hostname or ""
        self.profiles: dict[int, Profile] = {}
        self._said: dict[int, list[Said]] = {}
        self._popular: list[Said] = []
        self._coupons: dict[str, Safe] = {}
        self._tokens: dict[int, str] = {}
        self._now: datetime | None = None

    def prepare(self, profiles: Sequence[int], now: datetime) -> None:
        """Read what the template shows of these people."""
        self._now = now
        rows: QuerySet[Profile] = Profile.objects.filter(pk__in=profiles)
        if not self.needs.name:
            rows = rows.defer("name", "traits", "birth_date")
        self.profiles = {row.pk: row for row in rows}
        if self.needs.recommendations:
            self._recommend(profiles, now)
        if self.needs.coupons:
            found = Item.objects.available(now).filter(kind=Item.Kind.COUPON, code__in=self.needs.coupons)
            self._coupons = {item.code: self._coupon(item) for item in found}
        if self.needs.unsubscribe:
            self._tokens = preference_links.mint_many(profiles, now)

    def of(self, profile: int, language: str) -> dict[str, object]:
        """Return the objects of one person of the batch; nothing of anybody else can be reached from them."""
        row = self.profiles[profile]
        personal = row.personalisation and row.restricted_at is None
        return {
            "profile": self._profile(row, language),
            "recommendations": self._shown(profile, language, personal=personal),
            # What is not in the catalogue now is nothing in a condition, and an error where it is shown.
            "coupons": Safe("coupons", self._coupons, tuple(self.needs.coupons)),
            "unsubscribe": Safe("unsubscribe", {"url": self._page(profile)}, ("url",)),
            "sender": Safe("sender", {"name": self.sender}, ("name",), self.fallbacks),
            "now": self._now and timezone.localtime(self._now),
            "today": self._now and timezone.localtime(self._now).date(),
        }

    def _profile(self, row: Profile, language: str) -> Safe:
        values: dict[str, object] = {
            name: getattr(row, name)
            for name in ("gender", "age_band", "birth_month", "birth_day", "province", "city", "language")
        }
        if self.needs.name:
            values |= self.named(row.name or "", row.gender, language)
        attributes = {key: value for key, value in row.attributes.items() if isinstance(value, str | int | float)}
        values["attributes"] = Safe("profile.attributes", attributes, ("*",), self.fallbacks)
        return Safe("profile", values, known_of("profile"), self.fallbacks)

    def named(self, name: str, gender: str, language: str) -> dict[str, object]:
        """Return somebody's name as a message says it."""
        return named(name, gender, language)

    def _page(self, profile: int) -> str:
        token = self._tokens.get(profile)
        if token is None:
            return ""
        try:
            return preference_links.page_address(token)
        except preference_links.NoPublicAddress as missing:
            raise TemplateFailed("no_public_address", "PUBLIC_URL") from missing

    def _recommend(self, profiles: Sequence[int], now: datetime) -> None:
        lists, popular = recommending.answers(profiles, MOST_RECOMMENDED, now)
        told = iter(titled([one.reason for shown in (*lists.values(), popular) for one in shown]))
        self._said = {profile: [(one, next(told)) for one in shown] for profile, shown in lists.items()}
        self._popular = [(one, next(told)) for one in popular]

    def _shown(self, profile: int, language: str, *, personal: bool) -> list[Safe]:
        """Return the items for a person, or what is popular, with why in the message's language."""
        said = (self._said.get(profile) if personal else None) or self._popular
        return [self._item(one.item, say_to_her(str(one.reason.get("code", "")), why, language)) for one, why in said]

    def _item(self, item: Item, because: str = "") -> Safe:
        values = {
            "because": because,
            "title": item.title,
            "url": web_address(item.attributes.get("url")),
            "image": web_address(item.attributes.get("image")),
            "price": item.price,
            "currency": item.currency,
            "brand": item.brand,
            "category": item.categories[-1] if item.categories else "",
            "code": item.code,
        }
        return Safe("recommendations.*", values, known_of("recommendations.*"), self.fallbacks)

    def _coupon(self, item: Item) -> Safe:
        values = {
            "title": item.title,
            "code": item.attributes.get("coupon") or item.code,
            "url": web_address(item.attributes.get("url")),
            "ends_at": item.available_to,
        }
        return Safe(f"coupons.{item.code}", values, known_of("coupons.*"), self.fallbacks)


def web_address(told: object) -> str:
    """Return an address of the web, or nothing: what a shop sends as one may be anything.

    >>> web_address("https://shop.example/a?b=1"), web_address("javascript:alert(1)"), web_address(7)
    ('https://shop.example/a?b=1', '', '')
    """
    if not isinstance(told, str) or len(told) > 2000 or any(ord(one) <= 32 for one in told):
        return ""
    try:
        parts = urlsplit(told)
    except ValueError:
        return ""
    return told if parts.scheme in {"http", "https"} and parts.hostname and not parts.username else ""


def named(name: str, gender: str, language: str) -> dict[str, object]:
    """Return a name as messages say it.

    >>> named("王小明", "male", "zh-hans"), named("Ann Lee", "female", "en")["salutation"]
    ({'name': '王小明', 'first_name': '小明', 'salutation': '王先生'}, 'Ms Lee')
    """
    name = " ".join(name.split())
    family, given = _parts(name)
    title = TITLES.get((language[:2], gender))
    return {"name": name, "first_name": given, "salutation": title.format(family) if title and family else name}


def _parts(name: str) -> tuple[str, str]:
    if " " in name:
        given, _space, family = name.rpartition(" ")
        return family, given.split(" ")[0]
    if name[:2] in COMPOUND_SURNAMES and len(name) > 2:
        return name[:2], name[2:]
    if name[:1] in SURNAMES and 2 <= len(name) <= 4:
        return name[:1], name[1:]
    return "", name


def example(needs: Needs, now: datetime) -> dict[str, object]:
    """Return objects of nobody, with a value for everything: what a template is tried on before it has a person."""
    made = Objects(needs, {})
    made._now = now
    row = Profile(pk=0, gender="female", age_band="25-34", birth_month=5, birth_day=1, province="上海", city="上海")
    row.language, row.attributes = "zh-hans", {}
    item = Item(
        title="A fine tea", code="tea", price="88.00", currency="CNY", brand="Cha", categories=["Tea"],
        attributes={"url": "https://shop.example/tea", "image": "https://shop.example/tea.jpg"},
        available_to=now + timedelta(days=7),
    )  # fmt: skip
    values = {**dict(made._profile(row, "en")._values), **named("王小明", "female", "en")}
    known = {"attributes": _Anything()}
    return {
        "profile": Safe("profile", values | known, known_of("profile")),
        "recommendations": [made._item(item, "Because you bought tea")] * 3,
        "coupons": _Anything(made._coupon(item)),
        "unsubscribe": Safe("unsubscribe", {"url": "https://shop.example/u"}, ("url",)),
        "sender": Safe("sender", {"name": "Zhiyin"}, ("name",)),
        "now": timezone.localtime(now),
        "today": timezone.localtime(now).date(),
    }


class _Anything(Mapping[str, object]):
    """Has every name."""

    def __init__(self, value: object = "example") -> None:
        self.value = value

    def __getitem__(self, name: str) -> object:
        return self.value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1
