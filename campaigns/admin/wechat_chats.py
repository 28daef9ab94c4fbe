"""Conversations: who wrote, how long each may still be answered, the texts, and the answer."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Case, Count, F, Q, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from campaigns.models import ChatFile, ChatMessage, Follower
from campaigns.wechat import answering, chat_files, chats
from crm import access_log
from crm.admin.lists import ReadOnlyAdmin, person_of
from crm.admin.restricted import MAY
from crm.privacy import masked

A_PAGE = 30
CONVERSATION, AN_HOUR = "conversation", timedelta(hours=1)  # of an open page it is noted once an hour
# What a message that is no text was.
KINDS = {
    "image": _("a picture"),
    "voice": _("a voice message"),
    "video": _("a video"),
    "shortvideo": _("a video"),
    "location": _("a place"),
    "link": _("a link"),
}
SHOWN = {"image": "picture", "audio": "sound", "video": "film"}  # how a page shows a type; no browser plays AMR
# A file is somebody's: nothing in it may run, nobody else may keep it.
FILE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
TONES = {"sent": "", "refused": "bad", "unknown": "warn", "calling": "accent"}


@admin.register(ChatMessage)
class ChatMessageAdmin(ReadOnlyAdmin):
    """Conversations, those first that may be answered and wait the longest."""

    fields = ("account", "direction", "status", "happened_at")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("with/<int:pk>/", view(self.thread_view), name="campaigns_chatmessage_thread"),
            path("with/<int:pk>/messages/", view(self.messages_view), name="campaigns_chatmessage_messages"),
            path("with/<int:pk>/answer/", view(self.answer_view), name="campaigns_chatmessage_answer"),
            path("with/<int:pk>/picture/", view(self.picture_view), name="campaigns_chatmessage_picture"),
            path("file/<int:pk>/", view(self.file_view), name="campaigns_chatmessage_file"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        waits = Q(last_direction=ChatMessage.Direction.IN)
        open_ = Q(open_until__gt=now, messages_left__gt=0)
        rows = _seen(request)
        counts = rows.aggregate(open=Count("pk", filter=open_), waiting=Count("pk", filter=waits & open_))
        shown = request.GET.get("show", "")
        rows = rows.filter(open_) if shown == "open" else rows
        urgent = Case(When(waits & open_, then=Value(0)), When(open_, then=Value(1)), default=Value(2))
        page = Paginator(rows.order_by(urgent, F("last_at").desc(), "pk"), A_PAGE).get_page(request.GET.get("p"))
        context = self.admin_site.each_context(request) | {
            "title": gettext("Conversations"),
            "opts": self.opts,
            "page": page,
            "rows": [_line(one, now) for one in page.object_list],
            "counts": counts,
            "shown": shown,
            "now": now,
        }
        return TemplateResponse(request, "zhiyin/wechat/chats.html", context)

    def thread_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show a conversation; that somebody reads what a person wrote is written down."""
        one = self._one(request, pk)
        now = timezone.now()
        _note(request, one, now)
        context = self.admin_site.each_context(request) | self._facts(request, one, now)
        context |= {"title": gettext("Conversation"), "opts": self.opts}
        return TemplateResponse(request, "zhiyin/wechat/thread.html", context)

    def messages_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answer with the messages as they are now, if they changed: an open page asks every few seconds.

        What has not changed is not drawn anew: a film would begin again, and each picture would be looked at again.
        """
        one = self._one(request, pk)
        now = timezone.now()
        facts = self._facts(request, one, now)
        if request.GET.get("seen") == facts["seen"]:
            return HttpResponse(status=204)
        if not access_log.was_noted("view", CONVERSATION, person_of(request), one.identifier.profile_id, now - AN_HOUR):
            _note(request, one, now)
        return TemplateResponse(request, "zhiyin/wechat/messages.html", facts)

    @method_decorator(require_POST)
    def answer_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a text, if the platform still lets us."""
        if not _may_answer(request):
            raise PermissionDenied
        one = self._one(request, pk)
        text = request.POST.get("text", "")
        try:
            answering.answer(one.account, one.identifier, text, person_of(request), timezone.now())
        except answering.NoAnswer as error:
            messages.error(request, str(error))
        return redirect("admin:campaigns_chatmessage_thread", pk)

    @method_decorator(require_POST)
    def picture_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a picture, if the platform still lets us."""
        if not _may_answer(request):
            raise PermissionDenied
        one = self._one(request, pk)
        upload = request.FILES.get("picture")
        try:
            data = upload.read(chat_files.LARGEST["image"] + 1) if upload else b""
            answering.answer_with_picture(one.account, one.identifier, data, person_of(request), timezone.now())
        except answering.NoAnswer as error:
            messages.error(request, str(error))
        return redirect("admin:campaigns_chatmessage_thread", pk)

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give a picture, a voice or a video of a conversation; that somebody looks at it is written down."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = ChatFile.objects.filter(status=ChatFile.Status.KEPT, expires_at__gt=timezone.now())
        if not request.user.has_perm(MAY):
            rows = rows.filter(profile__restricted_at=None)
        one = get_object_or_404(rows, pk=pk)
        data = bytes(one.content)
        if not data:
            raise Http404
        who = person_of(request)
        access_log.note("view", "file of a conversation", user=who, profile=one.profile_id, now=timezone.now())
        name = f"{one.pk}.{one.mime.partition('/')[2]}"
        headers = FILE_HEADERS | {"Content-Disposition": f'inline; filename="{name}"'}
        return HttpResponse(data, content_type=one.mime, headers=headers)

    def _one(self, request: HttpRequest, pk: int) -> Follower:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Follower.objects.select_related("account", "identifier__profile")
        if not request.user.has_perm(MAY):
            rows = rows.filter(identifier__profile__restricted_at=None)
        return get_object_or_404(rows, pk=pk)

    def _facts(self, request: HttpRequest, one: Follower, now: datetime) -> dict[str, Any]:
        thread, window = (
            [_bubble(message) for message in chats.thread(one)],
            chats.window(one.account, one.identifier_id, now),
        )
        told = repr([(bubble["at"], bubble["status"], bubble["file"]) for bubble in thread])
        return {
            "follower": one,
            "who": masked(one.identifier.type, one.identifier.value),
            "window": window,
            "thread": thread,
            "seen": sha256(f"{told}{window}".encode()).hexdigest()[:16],
            "may_answer": _may_answer(request),
            "longest": answering.LONGEST // 3,
        }


def _note(request: HttpRequest, one: Follower, now: datetime) -> None:
    access_log.note("view", CONVERSATION, user=person_of(request), profile=one.identifier.profile_id, now=now)


def _may_answer(request: HttpRequest) -> bool:
    return request.user.has_perm("campaigns.add_chatmessage")


def _seen(request: HttpRequest) -> Any:
    rows = chats.conversations()
    return rows if request.user.has_perm(MAY) else rows.filter(identifier__profile__restricted_at=None)


def _line(one: Any, now: datetime) -> dict[str, Any]:
    open_ = bool(one.open_until and one.open_until > now and one.messages_left)
    return {
        "pk": one.pk,
        "who": masked(one.identifier.type, one.identifier.value),
        "profile": one.identifier.profile_id,
        "account": one.account.name,
        "last_at": one.last_at,
        "waits": one.last_direction == ChatMessage.Direction.IN,
        "open": open_,
        "until": one.open_until,
        "left": one.messages_left or 0,
        "following": one.following,
    }


def _bubble(one: ChatMessage) -> dict[str, Any]:
    return {
        "text": one.text or KINDS.get(one.kind, one.kind),
        "plain": bool(one.text),
        "file": _file(one),
        "out": one.direction == ChatMessage.Direction.OUT,
        "at": one.happened_at,
        "by": one.sent_by,
        "status": one.status,
        "said": one.get_status_display(),
        "tone": TONES[one.status],
        "why": answering.why(one.code) if one.code else "",
    }


def _file(one: ChatMessage) -> dict[str, Any] | None:
    """Return how a message's file is shown, where it has one."""
    row: ChatFile | None = getattr(one, "file", None)
    if row is None:
        return None
    kept = row.status == ChatFile.Status.KEPT
    sort = SHOWN.get(row.mime.partition("/")[0], "") if kept and row.mime != "audio/amr" else ""
    facts = {"pk": row.pk, "kept": kept, "size": row.size, "until": row.expires_at}
    return facts | {"sort": sort, "said": row.get_status_display()}
