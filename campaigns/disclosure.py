"""What we know of people at our WeChat accounts, what they wrote there, and how journeys led them: told to whoever
asks for her data.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.journeys import paths
from campaigns.models import ChatMessage, Credit, CustomerTag, Follower, FollowerRemark, JourneyEntry, StaffContact
from crm.portability import Section


def chats(profiles: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Yield every message of a conversation, in either direction, in the order in which they were written."""
    rows = ChatMessage.objects.filter(profile__in=profiles).select_related("account", "file").defer("file__content")
    for one in rows.order_by("happened_at", "pk").iterator(chunk_size=500):
        told = {"account": one.account.name, "direction": one.direction, "kind": one.kind, "text": one.text}
        file = getattr(one, "file", None)
        about = {"file": file.get_status_display(), "bytes": file.size, "kept_until": file.expires_at} if file else {}
        yield {"at": one.happened_at, **told, **about}


def follows(profiles: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Yield which accounts she follows or followed, since when, and by which way she came."""
    rows = Follower.objects.filter(identifier__profile__in=profiles).select_related("account").order_by("pk")
    for one in rows:
        told = {"account": one.account.name, "follows": one.following, "since": one.followed_at}
        yield {**told, "until": one.unfollowed_at, "came_by": one.entry or one.scene, "language": one.language}


def subscriptions(profiles: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Yield which messages she let us send by a template of WeChat's, and what became of each leave."""
    rows = Credit.objects.filter(identifier__profile__in=profiles).select_related("account").order_by("at", "pk")
    for one in rows.iterator(chunk_size=500):
        told = {"account": one.account.name, "template": one.template_id, "messages": one.delta}
        yield {"at": one.at, **told, "because": one.source}


def remarks(profiles: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Yield what our staff call her, for themselves."""
    rows = FollowerRemark.objects.filter(profile__in=profiles).select_related("account").order_by("pk")
    for one in rows:
        yield {"account": one.account.name, "remark": one.text, "since": one.changed_at}


def contacts(profiles: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Yield which of our staff she knows in WeCom, how that began and ended, and which tags they gave her."""
    rows = StaffContact.objects.filter(identifier__profile__in=profiles).select_related("staff__account")
    for one in rows.order_by("pk"):
        tags = CustomerTag.objects.filter(account=one.staff.account, tag_id__in=one.tags).order_by("name")
        told = {"account": one.staff.account.name, "staff": str(one.staff), "since": one.added_at}
        yield {**told, "until": one.ended_at, "came_by": one.state, "tags": [tag.name for tag in tags]}


def journeys(profiles: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Yield the journeys by which we speak to her, why each began, where she is, and every step that she left."""
    rows = JourneyEntry.objects.filter(profile__in=profiles).select_related("run__campaign__purpose", "version")
    for one in rows.order_by("entered_at", "pk").iterator(chunk_size=500):
        campaign = one.run.campaign
        told = {"journey": campaign.name, "purpose": campaign.purpose.code, "version": one.version.number}
        where = {
            "state": one.status,
            "reason": one.reason,
            "step": one.step,
            "goes_on": None if one.ended_at else one.due_at,
        }
        path = [f"{left.at.isoformat()} {left.step}: {left.outcome}" for left in paths.of(one)]
        yield {"entered": one.entered_at, **told, **where, "ended": one.ended_at, "path": path}


SECTIONS = (
    Section(name="chats", title=_("What you wrote to us, and our answers"), rows=chats),
    Section(name="follows", title=_("Accounts of ours that you follow in WeChat"), rows=follows),
    Section(name="subscriptions", title=_("Messages of ours that you subscribed to in WeChat"), rows=subscriptions),
    Section(name="remarks", title=_("What our staff call you in WeChat"), rows=remarks, given=False),
    Section(name="contacts", title=_("Staff of ours whom you know in WeCom"), rows=contacts, given=False),
    Section(name="journeys", title=_("Journeys by which we write to you"), rows=journeys, given=False),
)
