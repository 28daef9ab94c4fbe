"""What colleagues ask for, and where a second person decides it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm import approvals
from crm.admin.again import ask_again
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.models import Approval

STATES = {
    "waiting": (_("waiting"), "warning"),
    "approved": (pgettext_lazy("state", "approved"), "success"),
    "refused": (_("refused"), "danger"),
    "used": (_("used"), "info"),
    "expired": (_("expired"), "default"),
}
VERBS = {"approve": approvals.approve, "refuse": approvals.refuse}


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Requests for a second person: one's own, and, for those who decide, everybody's."""

    change_form_template = "zhiyin/approval/change_form.html"
    list_display = ("what", "subject", "requested_by", "reason", "state", "asked_at", "expires_at")
    list_display_links = ("what",)
    list_filter = (("decision", ChoicesDropdownFilter),)
    list_select_related = ("requested_by",)
    ordering = ("-requested_at",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.decide_view)
        decide = re_path(r"^(?P<pk>[0-9a-f-]{36})/(?P<verb>approve|refuse)/$", view, name="crm_approval_decide")
        return [decide, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Approval]:
        rows: QuerySet[Approval] = super().get_queryset(request)
        return rows if request.user.has_perm(approvals.DECIDES) else rows.filter(requested_by=person_of(request))

    nothing_yet = _("What needs a second person, as an audit bundle in clear text, is asked for and decided here.")

    def title_of(self, obj: Approval) -> str:
        return f"{self.what(obj)}: {obj.subject}"

    @column(pgettext_lazy("approval", "requested"), ordering="requested_at")
    def asked_at(self, approval: Approval) -> datetime:
        return approval.requested_at

    @column(_("action"), ordering="action")
    def what(self, approval: Approval) -> str:
        known = approvals.ACTIONS.get(approval.action)
        return str(known.title) if known else approval.action

    @column(_("state"), label={str(words): colour for words, colour in STATES.values()})
    def state(self, approval: Approval) -> tuple[Any, Any]:
        words = STATES[approval.state(timezone.now())][0]
        return words, words

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        approval = self.get_object(request, object_id)
        now = timezone.now()
        shown: dict[str, Any] = {}
        if approval is not None:
            state = approval.state(now)
            shown = {
                "approval": approval,
                "what": self.what(approval),
                "state": STATES[state][0],
                "may_decide": state == "waiting" and approvals.may_decide(approval, person_of(request)),
                "is_own": approval.requested_by_id == request.user.pk,
            }
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))

    @method_decorator(require_POST)
    def decide_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Approve or refuse, and go back to the list."""
        found = get_object_or_404(self.get_queryset(request), pk=UUID(pk))
        if approvals.may_decide(found, person_of(request)):
            ask_again(request)
        try:
            VERBS[verb](found.pk, by=person_of(request), answer=request.POST.get("answer", ""), now=timezone.now())
        except approvals.MayNotDecide as error:
            messages.error(request, str(error))
        else:
            said = gettext("You approved it.") if verb == "approve" else gettext("You refused it.")
            messages.success(request, said)
        return redirect("admin:crm_approval_change", found.pk)
