"""The menu: what stands in it, in which order for whom, and under which heading a page belongs.

Groups fold. Those that somebody's work begins with come first and stand open; the others open where one is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class Entry:
    """A page: its name, icon and address (of the admin's), and who may open it."""

    title: Any
    icon: str
    page: str
    permission: str = ""

    @property
    def model(self) -> str:
        """The model whose list it is (``crm_event``); empty for a page of its own."""
        return self.page.removesuffix("_changelist") if self.page.endswith("_changelist") else ""


@dataclass(frozen=True)
class Group:
    """Pages under one heading; ``also`` are models without an entry, each with the page that it is found from."""

    title: Any
    entries: Sequence[Entry]
    also: Mapping[str, str] = field(default_factory=dict)


GROUPS: Mapping[str, Group] = {
    "start": Group("", (Entry(_("Dashboard"), "space_dashboard", "index"),)),
    "people": Group(
        _("People"),
        (
            Entry(_("Profiles"), "group", "crm_profile_changelist", "crm.view_profile"),
            Entry(_("Segments found"), "bubble_chart", "mlengine_cluster_changelist", "mlengine.view_cluster"),
            Entry(_("Identifiers"), "fingerprint", "crm_identifier_changelist", "crm.view_identifier"),
            Entry(_("Relations"), "hub", "crm_relation_changelist", "crm.view_relation"),
            Entry(_("Merges"), "merge", "crm_profilealias_changelist", "crm.view_profilealias"),
        ),
    ),
    "campaigns": Group(
        _("Campaigns"),
        (
            Entry(_("Campaigns"), "campaign", "campaigns_campaign_changelist", "campaigns.view_campaign"),
            Entry(_("Journeys"), "account_tree", "campaigns_journey_changelist", "campaigns.view_journey"),
            Entry(_("Reports"), "monitoring", "campaigns_figures_changelist", "campaigns.view_figures"),
            Entry(_("Alarms"), "notifications_active", "campaigns_alarm_changelist", "campaigns.view_alarm"),
            Entry(
                _("Unknown outcomes"), "unknown_document", "campaigns_delivery_changelist", "campaigns.view_delivery"
            ),
            Entry(_("To many at once"), "groups", "campaigns_bulkjob_changelist", "campaigns.view_bulkjob"),
            Entry(_("Segments"), "group_work", "campaigns_segment_changelist", "campaigns.view_segment"),
            Entry(_("Templates"), "edit_note", "campaigns_template_changelist", "campaigns.view_template"),
            Entry(
                _("Channel accounts"),
                "outgoing_mail",
                "campaigns_channelaccount_changelist",
                "campaigns.view_channelaccount",
            ),
            Entry(_("Webhooks"), "webhook", "campaigns_webhookendpoint_changelist", "campaigns.view_webhookendpoint"),
            Entry(_("Sending policy"), "policy", "campaigns_sendingpolicy_changelist", "campaigns.view_sendingpolicy"),
            Entry(_("Frequency caps"), "speed", "campaigns_frequencycap_changelist", "campaigns.view_frequencycap"),
            Entry(_("Guardrails"), "shield", "campaigns_guardrail_changelist", "campaigns.view_guardrail"),
        ),
        also={
            "campaigns_templateversion": "campaigns_template_changelist",
            "campaigns_journeyentry": "campaigns_journey_changelist",
            "campaigns_webhookmessage": "campaigns_webhookendpoint_changelist",
        },
    ),
    "wechat": Group(
        _("WeChat"),
        (
            Entry(_("Followers"), "group_add", "campaigns_follower_changelist", "campaigns.view_follower"),
            Entry(_("Conversations"), "chat", "campaigns_chatmessage_changelist", "campaigns.view_chatmessage"),
            Entry(_("Articles"), "article", "campaigns_article_changelist", "campaigns.view_article"),
            Entry(_("Entry codes"), "qr_code_2", "campaigns_entrycode_changelist", "campaigns.view_entrycode"),
            Entry(_("Menu"), "smartphone", "campaigns_menuversion_changelist", "campaigns.view_menuversion"),
            Entry(_("WeChat tags"), "sell", "campaigns_accounttag_changelist", "campaigns.view_accounttag"),
            Entry(
                _("Platform templates"),
                "fact_check",
                "campaigns_platformtemplate_changelist",
                "campaigns.view_platformtemplate",
            ),
            Entry(
                _("Platform statistics"), "query_stats", "campaigns_accountday_changelist", "campaigns.view_accountday"
            ),
            Entry(
                _("Limits of platforms"), "speed", "campaigns_channellimit_changelist", "campaigns.view_channellimit"
            ),
            Entry(_("Mini programs"), "widgets", "campaigns_minilink_programs", "campaigns.view_minilink"),
            Entry(_("WeCom staff"), "badge", "campaigns_staff_changelist", "campaigns.view_staff"),
            Entry(
                _("WeCom customers"), "handshake", "campaigns_staffcontact_changelist", "campaigns.view_staffcontact"
            ),
            Entry(_("Figures of staff"), "monitoring", "campaigns_staffday_changelist", "campaigns.view_staffday"),
            Entry(_("Ways of arrival"), "door_open", "campaigns_arrivalway_changelist", "campaigns.view_arrivalway"),
            Entry(_("Customer tags"), "label", "campaigns_customertag_changelist", "campaigns.view_customertag"),
            Entry(_("Customer groups"), "forum", "campaigns_customergroup_changelist", "campaigns.view_customergroup"),
            Entry(_("Pictures for WeCom"), "image", "campaigns_picture_changelist", "campaigns.view_picture"),
            Entry(_("Moments"), "photo_camera", "campaigns_moment_changelist", "campaigns.view_moment"),
        ),
        also={
            "campaigns_minilink": "campaigns_minilink_programs",
            "campaigns_welcome": "campaigns_arrivalway_changelist",
            "campaigns_handover": "campaigns_staff_changelist",
        },
    ),
    "record": Group(
        _("Record"),
        (
            Entry(_("Events"), "receipt_long", "crm_event_changelist", "crm.view_event"),
            Entry(_("Items"), "inventory_2", "crm_item_changelist", "crm.view_item"),
            Entry(_("Sources"), "sensors", "crm_source_changelist", "crm.view_source"),
            Entry(_("Import a file"), "upload_file", "crm_import", "crm.add_event"),
            Entry(_("Rejected events"), "report", "crm_rejectedevent_changelist", "crm.view_rejectedevent"),
            Entry(_("Jobs"), "pending_actions", "crm_jobrun_changelist", "crm.view_jobrun"),
        ),
    ),
    "learning": Group(
        _("Learning"),
        (
            Entry(_("Models"), "model_training", "mlengine_modelversion_changelist", "mlengine.view_modelversion"),
            Entry(_("Predictions"), "insights", "mlengine_predictionrun_changelist", "mlengine.view_predictionrun"),
            Entry(
                _("Recommendation rules"),
                "rule",
                "mlengine_recommendationrule_changelist",
                "mlengine.view_recommendationrule",
            ),
            Entry(
                _("Try recommendations"), "recommend", "mlengine_recommendation_preview", "mlengine.view_recommendation"
            ),
            Entry(_("Needed again"), "autorenew", "mlengine_repurchase_due", "mlengine.view_repurchase"),
            Entry(_("Private figures"), "blur_on", "crm_release_changelist", "crm.view_release"),
            Entry(_("Impact assessments"), "balance", "crm_impactassessment_changelist", "crm.view_impactassessment"),
        ),
    ),
    "compliance": Group(
        _("Compliance"),
        (
            Entry(_("Overview"), "verified_user", "crm_compliance", "crm.view_checkpoint"),
            Entry(_("Privacy requests"), "shield_person", "crm_privacyrequest_changelist", "crm.view_privacyrequest"),
            Entry(_("Approvals"), "approval_delegation", "crm_approval_changelist", "crm.view_approval"),
            Entry(_("Legal holds"), "gavel", "crm_legalhold_changelist", "crm.view_legalhold"),
            Entry(_("Retention"), "auto_delete", "crm_retentionrun_changelist", "crm.view_retentionrun"),
            Entry(_("Row exports"), "download", "crm_rowexport_changelist", "crm.view_rowexport"),
            Entry(
                _("Looks at personal data"),
                "visibility",
                "crm_personaldataaccess_changelist",
                "crm.view_personaldataaccess",
            ),
            Entry(_("Data map"), "schema", "crm_data_map", "crm.view_data_map"),
        ),
        also={"crm_checkpoint": "crm_compliance", "crm_retentionrule": "crm_retentionrun_changelist"},
    ),
    "consent": Group(
        pgettext_lazy("menu", "Consent"),
        (
            Entry(_("Purposes"), "checklist", "crm_purpose_changelist", "crm.view_purpose"),
            Entry(_("Notices"), "menu_book", "crm_notice_changelist", "crm.view_notice"),
            Entry(_("Consent log"), "history_edu", "crm_consentevent_changelist", "crm.view_consentevent"),
            Entry(_("Forms elsewhere"), "web_asset", "crm_consent_embed", "crm.view_purpose"),
        ),
    ),
    "access": Group(
        _("Access"),
        (
            Entry(_("Users"), "person", "auth_user_changelist", "auth.view_user"),
            Entry(_("Groups"), "groups", "auth_group_changelist", "auth.view_group"),
            Entry(
                _("API applications"),
                "key",
                "oauth2_provider_application_changelist",
                "oauth2_provider.view_application",
            ),
            Entry(_("Second factors"), "phonelink_lock", "mfa_authenticator_changelist", "mfa.view_authenticator"),
            Entry(_("Failed logins"), "lock_person", "axes_accessattempt_changelist", "axes.view_accessattempt"),
            Entry(_("History"), "history", "admin_logentry_changelist", "admin.view_logentry"),
        ),
    ),
}

# Whose daily work a permission tells, and the groups that this work begins with.
FIRST: Mapping[str, Sequence[str]] = {
    "crm.handle_privacyrequest": ("compliance", "consent"),
    "crm.add_release": ("learning",),
    "auth.change_user": ("access", "record"),
    "crm.view_profile": ("people",),
}


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu with only what this person may open."""
    first = leading(request.user)
    names = ["start", *first, *(name for name in GROUPS if name not in {"start", *first})]
    shown = [
        {"title": GROUPS[name].title, "open": name in {"start", *first}, "items": _items(GROUPS[name], request.user)}
        for name in names
    ]
    return _with_active([group for group in shown if group["items"]], request.path)


def leading(user: Any) -> Sequence[str]:
    """Return the groups that somebody's work begins with; whoever may do everything begins with people."""
    if isinstance(user, User) and user.is_superuser:
        return ("people",)
    return next((groups for permission, groups in FIRST.items() if user.has_perm(permission)), ())


def group_of(app: str, model: str) -> Group | None:
    """Return the group that a model's pages belong to."""
    label = f"{app}_{model}"
    for group in GROUPS.values():
        if label in group.also or any(entry.model == label for entry in group.entries):
            return group
    return None


def _found_from() -> dict[str, str]:
    """Return how the addresses of models without an entry begin, each with the page that they are found from."""
    index, found = reverse("admin:index"), dict[str, str]()
    for group in GROUPS.values():
        found |= {
            f"{index}{'/'.join(model.split('_', 1))}/": reverse(f"admin:{page}") for model, page in group.also.items()
        }
    return found


def _items(group: Group, user: Any) -> list[dict[str, Any]]:
    return [
        {"title": entry.title, "icon": entry.icon, "link": reverse(f"admin:{entry.page}")}
        for entry in group.entries
        if not entry.permission or user.has_perm(entry.permission)
    ]


def _with_active(groups: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    """Mark the one entry whose address is the longest beginning of the path; the dashboard's begins them all."""
    links = {item["link"]: item["link"] for group in groups for item in group["items"]} | _found_from()
    here = links.get(max((link for link in links if path.startswith(link)), key=len, default=""))
    for group in groups:
        for item in group["items"]:
            item["active"] = item["link"] == here
        group["open"] = group["open"] or any(item["active"] for item in group["items"])
    return groups
