"""Signed links to a person's own preference page: no log-in, no personal data in the address, nothing to guess.

A token is 32 bytes: a tag of 128 bits over whom it is for, until when and of which epoch, and these facts, masked
under the tag (deterministic authenticated encryption after Rogaway and Shrimpton, "Deterministic Authenticated
Encryption", 2006, with HMAC-SHA256 as the pseudo-random function). So an address tells nobody a profile's number, and
two links of one person do not look alike. The keys come from ``SECRET_KEY`` under a salt of their own: no other signed
value of this project passes for a link.

A link follows merges: it opens the page of whom its profile belongs to now. It ends with its time, with the person's
erasure (the row is gone, and a number that came back would have another time of creation), and with
:func:`revoke`. Whatever ended it, :func:`read` does the same work and says the same.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.urls import reverse
from django.utils.crypto import salted_hmac

from crm import merged
from crm.models.preferences import GuardianLink, LinkEpoch
from crm.models.profiles import Profile
from crm.models.purposes import Channel

SALT = "crm.preference_links"
FORM = 1
FACTS = struct.Struct(">BxHIQ")  # form of the token, epoch, minutes since 1970 at which it ends, profile
TAG, LENGTH = 16, 43  # bytes of the tag; signs of the token: 32 bytes in base64url without padding
BIGGEST = 2**63 - 1
ONE_CLICK = "List-Unsubscribe=One-Click"  # RFC 8058, section 3.1

ALIVE = """
SELECT p.created_at, coalesce(e.epoch, 0) FROM (SELECT %s::bigint AS id) AS asked
LEFT JOIN crm_profile AS p ON p.id = asked.id LEFT JOIN crm_linkepoch AS e ON e.profile_id = asked.id
"""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A link that opens: the profile it was made for, and who that is now; a guardian's names the guardian."""

    profile_id: int
    person: merged.Person
    guardian: GuardianLink | None = None


@dataclass(frozen=True, kw_only=True)
class _Facts:
    profile: int
    ends: int
    epoch: int

    def packed(self) -> bytes:
        return FACTS.pack(FORM, self.epoch % 2**16, self.ends, self.profile)


def mint(profile: int, now: datetime, lifetime: timedelta | None = None) -> str:
    """Return a new token for a profile; it opens for ``PREFERENCE_LINK_DAYS``, unless said otherwise.

    Raises
    ------
    LookupError
        There is no such profile.
    """
    ends = now + (timedelta(days=settings.PREFERENCE_LINK_DAYS) if lifetime is None else lifetime)
    created_at, epoch = _alive(profile)
    if created_at is None:
        raise LookupError(f"There is no profile {profile}.")
    return _token(profile, ends, epoch, created_at)


def mint_many(profiles: Iterable[int], now: datetime) -> dict[int, str]:
    """Return a new token for each profile that there is: two queries for all of them."""
    asked = list(profiles)
    ends = now + timedelta(days=settings.PREFERENCE_LINK_DAYS)
    epochs = dict(LinkEpoch.objects.filter(profile__in=asked).values_list("profile_id", "epoch"))
    born = Profile.objects.filter(pk__in=asked).values_list("pk", "created_at")
    return {pk: _token(pk, ends, epochs.get(pk, 0), created_at) for pk, created_at in born}


def read(token: str, now: datetime) -> Opened | None:
    """Return whom a token opens the page of, or ``None``; why not is nobody's business.

    Two queries and the same few hashes whatever the token is: forged, expired, revoked, erased or none at all.
    """
    raw = _decoded(token)
    guesses = [(key, _unpacked(_masked(key, raw[:TAG], raw[TAG:]))) for key in _keys()]
    key, facts = next(((key, facts) for key, facts in guesses if facts is not None), (guesses[0][0], None))
    asked = facts or _Facts(profile=0, ends=0, epoch=0)
    created_at, epoch = _alive(asked.profile)
    person = merged.person(asked.profile)
    genuine = hmac.compare_digest(_tag(key, asked, created_at or datetime.fromtimestamp(0, UTC)), raw[:TAG])
    opens = genuine and asked.epoch == epoch % 2**16 and now.timestamp() < asked.ends * 60
    if not opens or person is None or created_at is None:
        return None
    return Opened(profile_id=asked.profile, person=person)


def revoke(profile: int) -> int:
    """End every link to a person's page that was made until now, under all of her profiles; return how many profiles.

    A guardian's links end too.
    New links can be made at once: they are of the next epoch.
    """
    person = merged.person(profile)
    if person is None:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        GuardianLink.objects.filter(profile__in=person.profile_ids).delete()
        cursor.execute(
            "INSERT INTO crm_linkepoch (profile_id, epoch) SELECT id, 1 FROM crm_profile WHERE id = ANY (%s)"
            " ORDER BY id ON CONFLICT (profile_id) DO UPDATE SET epoch = crm_linkepoch.epoch + 1",
            [list(person.profile_ids)],
        )
        return int(cursor.rowcount)


class NoPublicAddress(ImproperlyConfigured):
    """``PUBLIC_URL`` does not say where people reach this server, so no link can be put into a message."""


def public(path: str, *, only: tuple[str, ...] = ("https", "http")) -> str:
    """Return the whole address of one of our paths, for a message.

    Raises
    ------
    NoPublicAddress
        A link without a host opens nothing, and one without a proper host opens somebody else's page.
    """
    parts = urlsplit(settings.PUBLIC_URL)
    beyond = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in only or not parts.hostname or beyond:
        wanted = f"{only[0]}://crm.example.com"
        raise NoPublicAddress(f"PUBLIC_URL is {settings.PUBLIC_URL!r}: set it to this server's address, as in {wanted}")
    return f"{parts.scheme}://{parts.netloc}{path}"


def admin_page(page: str, *args: object) -> str:
    """Return the whole address of a page of the admin, for a mail to a colleague; nothing where none leads here."""
    try:
        return public(reverse(f"admin:{page}", args=args))
    except NoPublicAddress:  # what the mail says finds it too
        return ""


def has_public(*, only: tuple[str, ...] = ("https", "http")) -> bool:
    """Tell whether links in messages would lead here; see :func:`public`."""
    try:
        public("/", only=only)
    except NoPublicAddress:
        return False
    return True


def address(profile: int, now: datetime) -> str:
    """Return the whole address of a person's page, for a message; :class:`NoPublicAddress` where there is none."""
    return page_address(mint(profile, now))


def page_address(token: str) -> str:
    """Return the whole address that a token opens; :class:`NoPublicAddress` where there is none."""
    return public(reverse("preferences", args=[token]))


def unsubscribe_headers(profile: int, channel: str, now: datetime) -> dict[str, str]:
    """Return the headers with which a mail program offers to unsubscribe by one click (RFC 8058).

    A click withdraws all marketing on the channel; an empty channel means every one. The headers belong under the
    message's DKIM signature, and ``PUBLIC_URL`` must be HTTPS: both are the RFC's.

    Raises
    ------
    NoPublicAddress
        It is empty, no address, or not HTTPS: a message must not leave with a way out that leads nowhere.
    """
    return one_click_headers(mint(profile, now), channel)


def one_click_headers(token: str, channel: str) -> dict[str, str]:
    """Return the same headers for a token that was made already; see :func:`unsubscribe_headers`."""
    if channel not in ("", *Channel.values):
        raise ValueError(f"There is no channel {channel!r}.")
    where = reverse("preferences_one_click", args=[token])
    query = f"?on={channel}" if channel else ""
    return {
        "List-Unsubscribe": f"<{public(where + query, only=('https',))}>",
        "List-Unsubscribe-Post": ONE_CLICK,
    }


def _token(profile: int, ends: datetime, epoch: int, created_at: datetime) -> str:
    facts = _Facts(profile=profile, ends=int(ends.timestamp()) // 60, epoch=epoch)
    key = settings.SECRET_KEY
    tag = _tag(key, facts, created_at)
    return urlsafe_b64encode(tag + _masked(key, tag, facts.packed())).decode().rstrip("=")


def _keys() -> list[str]:
    return [settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS)]


def _tag(key: str, facts: _Facts, created_at: datetime) -> bytes:
    born = created_at.astimezone(UTC).isoformat().encode()
    secret = salted_hmac(SALT + ".tag", b"", secret=key, algorithm="sha256").digest()
    return hmac.digest(secret, facts.packed() + born, sha256)[:TAG]


def _masked(key: str, tag: bytes, facts: bytes) -> bytes:
    """Hide the facts, or show them again: the same either way."""
    secret = salted_hmac(SALT + ".mask", b"", secret=key, algorithm="sha256").digest()
    mask = hmac.digest(secret, tag, sha256)
    return bytes(one ^ other for one, other in zip(facts, mask, strict=False))


def _decoded(token: str) -> bytes:
    """Return the 32 bytes of a token; zeros, which no tag equals, where it is no token."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=") if len(token) == LENGTH else b""
    except ValueError:
        raw = b""
    spelt = urlsafe_b64encode(raw).decode().rstrip("=") == token  # one spelling only: the last sign has spare bits
    return raw if spelt and len(raw) == 2 * TAG else bytes(2 * TAG)


def _unpacked(facts: bytes) -> _Facts | None:
    form, epoch, ends, profile = FACTS.unpack(facts)
    sound = form == FORM and facts[1] == 0 and 0 < profile <= BIGGEST
    return _Facts(profile=profile, ends=ends, epoch=epoch) if sound else None


def _alive(profile: int) -> tuple[datetime | None, int]:
    with connection.cursor() as cursor:
        cursor.execute(ALIVE, [profile])
        created_at, epoch = cursor.fetchone()
    return created_at, epoch
