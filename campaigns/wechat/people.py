"""Whom a callback is about, by the identifier that the platform names her with."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from campaigns.channels.wechat.inbound import person_of, text_of
from campaigns.models import Inbound
from campaigns.runs.planning import source
from crm import identity
from crm.drafts import Ref
from crm.encryption import indexes_by_generation
from crm.models import Identifier

WECOM = "wecom"
TYPES: Mapping[str, str] = {
    "wechat_official": Identifier.Type.OPENID.value,
    "wechat_mini": Identifier.Type.OPENID.value,
    WECOM: Identifier.Type.EXTERNAL_USERID.value,
}
# What became of jobs: it names who works at the account, or nobody, and never whom it reached.
OF_JOBS = frozenset({"MASSSENDJOBFINISH", "PUBLISHJOBFINISH", "FREEPUBLISHJOBFINISH"})


def ref(row: Inbound) -> Ref | None:
    """Return type and value of the person's identifier; nothing where it is about nobody."""
    if row.kind in OF_JOBS:
        return None
    # In WeCom whoever writes to the app is of the staff: only who is called a customer is one.
    person = text_of(row.told, "ExternalUserID")[:128] if row.account.provider == WECOM else person_of(row.told)
    return (TYPES[row.account.provider], person) if person else None


def identifiers(refs: Sequence[Ref]) -> dict[Ref, Identifier]:
    """Return the rows that hold identifiers, of those that we know."""
    asked = list(dict.fromkeys(refs))
    if not asked:
        return {}
    found: dict[tuple[str, bytes], Ref] = {}
    for generation in indexes_by_generation(asked):
        found |= {(one[0], bytes(digest)): one for one, digest in zip(asked, generation, strict=True)}
    types = {type_ for type_, _ in asked}
    rows = Identifier.objects.filter(type__in=types, digest__in=[digest for _, digest in found])
    return {found[key]: row for row in rows if (key := (row.type, bytes(row.digest))) in found}


def resolved(refs: Sequence[Ref], now: datetime) -> dict[Ref, Identifier]:
    """Return the rows that hold identifiers; who was a stranger is known from now on."""
    asked = list(dict.fromkeys(refs))
    if not asked:
        return {}
    identity.resolve([[one] for one in asked], source=source(), now=now)
    return identifiers(asked)
