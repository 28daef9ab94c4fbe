"""One key for each profile, wrapped by the ring: destroying its row destroys every value that it sealed.

Keys live for one batch of work. Whoever seals reads them in the transaction that writes, so that the key of a person
who was erased meanwhile is never used for a row that stays, and never made again: a new key's foreign key is checked
at commit, when the profile is gone. Nothing is kept between batches: a process must not be able to read what an
erasure made unreadable. A key is unwrapped when it is first used, so what has no personal part costs no cryptography.
"""

from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import DEFAULT_DB_ALIAS, connection, connections

from crm.copying import bytes_array, int_array
from crm.encryption.values import Shredded, Tampered
from crm.keyring import KeyRing, ring, ring_with

# The limits keep the planner to the two indexes; by young statistics it would read both tables whole, for any batch.
LIVING = """
SELECT told.id, k.key_id, k.wrapped FROM unnest(%s::bigint[]) AS told (id)
CROSS JOIN LATERAL (SELECT FROM crm_profile WHERE crm_profile.id = told.id LIMIT 1) AS there
LEFT JOIN LATERAL (SELECT key_id, wrapped FROM crm_personkey WHERE profile_id = told.id LIMIT 1) AS k ON true
"""
Wrapped = tuple[str, Any]  # the id of the key that wrapped it, and the bytes


class Keys:
    """The keys of some people, read once each; for one transaction, or for showing one list."""

    def __init__(self, profiles: Iterable[int] = (), *, using: str = DEFAULT_DB_ALIAS) -> None:
        self._wanted = set(profiles)
        self._found: dict[int, AESGCM | Wrapped | None] = {}
        self._using = using
        self._ring: KeyRing | None = None

    def want(self, profiles: Iterable[int]) -> None:
        """Read these keys, too, with the next that is asked for."""
        self._wanted |= set(profiles) - self._found.keys()

    def none_yet(self, profiles: Iterable[int]) -> None:
        """Know, without asking, that these profiles have no key: they are being made just now."""
        self._found |= dict.fromkeys(profiles)

    def of(self, profile: int) -> AESGCM:
        """Return a person's key; ``Shredded`` where there is none."""
        if profile not in self._found:
            self._read({profile} | self._wanted)
        found = self._found[profile]
        if found is None:
            raise Shredded(f"Profile #{profile} has no key.")
        if isinstance(found, tuple):
            self._ring = self._ring or ring()  # once: to look whether its file was changed costs more than to unwrap
            found = self._found[profile] = _unwrapped(self._ring, profile, *found)
        return found

    def of_living(self, profiles: Iterable[int]) -> set[int]:
        """Read the keys of those who are there at this moment, whatever was read before; return who is not there."""
        asked = set(profiles)
        with connections[self._using].cursor() as cursor:
            cursor.execute(LIVING, [int_array(sorted(asked))])
            for profile, key_id, wrapped in cursor.fetchall():
                asked.discard(profile)
                if self._found.get(profile) is None:
                    self._found[profile] = None if wrapped is None else (key_id, wrapped)
        self._found |= dict.fromkeys(asked)
        return asked

    def make(self, profiles: Iterable[int]) -> None:
        """See to it that each has a key, in the transaction of the caller, which is about to seal something."""
        asked = set(profiles)
        self.want(asked)
        if self._wanted:
            self._read(set())
        missing = sorted(profile for profile in asked if self._found[profile] is None)
        while missing:
            self._found |= _made(missing, self._using)
            missing = [profile for profile in missing if self._found[profile] is None]
            if missing:  # another writer was faster, and has committed by now
                self._read(set(missing))

    def _read(self, more: set[int]) -> None:
        asked = more | self._wanted
        self._found |= dict.fromkeys(asked) | _stored(asked, self._using)
        self._wanted = set()


def _context(profile: int) -> bytes:
    return f"zhiyin/person-key/1|{profile}".encode()


def _stored(profiles: set[int], using: str) -> dict[int, Wrapped]:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT profile_id, key_id, wrapped FROM crm_personkey WHERE profile_id = ANY (%s::bigint[])",
            [int_array(profiles)],
        )
        return {profile: (key_id, wrapped) for profile, key_id, wrapped in cursor.fetchall()}


def _unwrapped(keys: KeyRing, profile: int, key_id: str, wrapped: Any) -> AESGCM:
    holder = keys if key_id in keys.wrapping else ring_with(key_id)
    try:
        return AESGCM(holder.unwrap(key_id, bytes(wrapped), _context(profile)))
    except InvalidTag:
        raise Tampered(f"The key of profile #{profile} does not open.") from None


def _made(profiles: list[int], using: str) -> dict[int, AESGCM]:
    keys = ring()
    fresh = {profile: AESGCM.generate_key(256) for profile in profiles}
    with connections[using].cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_personkey (profile_id, key_id, wrapped, created_at)"
            " SELECT profile, %s, wrapped, now() FROM unnest(%s::bigint[], %s::bytea[]) AS new (profile, wrapped)"
            " ON CONFLICT DO NOTHING RETURNING profile_id",
            [
                keys.current,
                int_array(profiles),
                bytes_array(keys.wrap(key, _context(profile)) for profile, key in fresh.items()),
            ],
        )
        return {profile: AESGCM(fresh[profile]) for (profile,) in cursor.fetchall()}


def rewrap(after: int, count: int) -> tuple[int, int | None]:
    """Wrap up to ``count`` keys behind profile ``after`` by the current key; return how many, and the last of them.

    Readers are not held up: what a key seals stays as it is, and either wrapping opens.
    """
    keys = ring()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT profile_id, key_id, wrapped FROM crm_personkey WHERE profile_id > %s AND key_id <> %s"
            " ORDER BY profile_id LIMIT %s FOR UPDATE",
            [after, keys.current, count],
        )
        rows = cursor.fetchall()
        wrapped = [
            keys.wrap(ring_with(key_id).unwrap(key_id, bytes(old), _context(profile)), _context(profile))
            for profile, key_id, old in rows
        ]
        cursor.execute(
            "UPDATE crm_personkey AS key SET key_id = %s, wrapped = new.wrapped"
            " FROM unnest(%s::bigint[], %s::bytea[]) AS new (profile, wrapped) WHERE key.profile_id = new.profile",
            [keys.current, int_array(profile for profile, _, _ in rows), bytes_array(wrapped)],
        )
    return len(rows), rows[-1][0] if rows else None
