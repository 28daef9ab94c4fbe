"""The table of roles, row by row against the real admin, its buttons, its fields, and the scopes of the API."""

from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, URLPattern, reverse

from config.scopes import SCOPES
from crm.models import Approval, Profile
from crm.role_matrix import MODELS, NOBODYS, ROLES, SPECIAL, VERBS, letters, permissions
from crm.roles import create_groups
from tests import factories, tables
from tests.emptying import undone
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

# Pages that only show, whatever the permission: what is done to their rows are the buttons below.
SHOWN_ONLY = {
    *("crm.profilealias", "crm.event", "crm.jobrun", "crm.rejectedevent", "crm.approval", "crm.personaldataaccess"),
    *("crm.privacyrequest", "crm.retentionrun", "mlengine.modelversion", "mlengine.predictionrun", "crm.legalhold"),
    "campaigns.alarm",
    "campaigns.journeyentry",
    *("campaigns.follower", "campaigns.menuversion", "campaigns.platformtemplate", "campaigns.accountday"),
    "campaigns.chatmessage",
    *("campaigns.staffday", "campaigns.staffcontact"),
    *("crm.identifier", "mlengine.cluster", "crm.release", "admin.logentry", "axes.accessattempt", "mfa.authenticator"),
}
ADDED_TO = {"crm.privacyrequest", "crm.legalhold"}
# Every button and page beyond the ordinary ones: how it is asked, and the permission that it needs.
BUTTONS: dict[str, tuple[str, dict[str, Any], str]] = {
    "mlengine_recommendation_preview": ("get", {}, "mlengine.view_recommendation crm.view_profile"),
    "mlengine_repurchase_due": ("get", {}, "mlengine.view_repurchase crm.view_profile"),
    "campaigns_journey_canvas": ("get", {"pk": 10**9}, "campaigns.view_journey"),
    "campaigns_journey_check": ("post", {"pk": 10**9}, "campaigns.view_journey"),
    "campaigns_journey_save": ("post", {"pk": 10**9}, "campaigns.change_journey"),
    "campaigns_journey_counts": ("get", {"pk": 10**9}, "campaigns.view_journey"),
    "campaigns_journey_steps": ("get", {"pk": 10**9}, "campaigns.view_journey"),
    "campaigns_journey_people": ("get", {"pk": 10**9}, "campaigns.view_journeyentry crm.view_profile"),
    "campaigns_journey_people_do": ("post", {"pk": 10**9}, "campaigns.run_campaign"),
    "campaigns_journey_versions": ("get", {"pk": 10**9}, "campaigns.view_journey"),
    "campaigns_journey_copy": ("post", {"pk": 10**9}, "campaigns.change_journey"),
    "campaigns_journey_compare": ("get", {"pk": 10**9}, "campaigns.view_journey"),
    "campaigns_journey_rehearsal": ("get", {"pk": 10**9}, "campaigns.view_journey crm.view_profile"),
    "campaigns_journey_do": ("post", {"pk": 10**9, "verb": "pause"}, "campaigns.run_campaign"),
    "campaigns_wechat_connect_any": ("get", {}, "campaigns.add_channelaccount"),
    "campaigns_wechat_imitation": ("post", {}, "campaigns.add_channelaccount"),
    "campaigns_wechat_connect": ("get", {"pk": 10**9}, "campaigns.view_channelaccount"),
    "campaigns_wechat_test": ("post", {"pk": 10**9}, "campaigns.view_channelaccount"),
    "campaigns_follower_read": ("post", {"pk": 10**9}, "campaigns.change_follower"),
    "campaigns_accounttag_read": ("post", {"pk": 10**9}, "campaigns.change_accounttag"),
    "campaigns_accounttag_push": ("post", {"pk": 10**9}, "campaigns.change_accounttag"),
    "campaigns_menuversion_save": ("post", {"account": 10**9}, "campaigns.change_menuversion"),
    "campaigns_menuversion_read": ("post", {"account": 10**9}, "campaigns.change_menuversion"),
    "campaigns_menuversion_publish": ("post", {"pk": 10**9}, "campaigns.change_menuversion"),
    "campaigns_entrycode_renew": ("post", {"pk": 10**9}, "campaigns.change_entrycode"),
    "campaigns_entrycode_image": ("get", {"pk": 10**9}, "campaigns.view_entrycode"),
    "campaigns_article_do": ("post", {"pk": 10**9, "verb": "publish"}, "campaigns.change_article"),
    "campaigns_article_page": ("get", {"pk": 10**9}, "campaigns.view_article"),
    "campaigns_platformtemplate_read": ("post", {"pk": 10**9}, "campaigns.change_platformtemplate"),
    "campaigns_platformtemplate_ask": ("post", {"pk": 10**9}, "campaigns.change_platformtemplate"),
    "campaigns_platformtemplate_decide": ("post", {"pk": 10**9, "verb": "allow"}, "campaigns.approve_campaign"),
    "campaigns_bulkjob_do": ("post", {"pk": UUID(int=1), "verb": "remind"}, "campaigns.run_campaign"),
    "campaigns_chatmessage_thread": ("get", {"pk": 10**9}, "campaigns.view_chatmessage"),
    "campaigns_chatmessage_messages": ("get", {"pk": 10**9}, "campaigns.view_chatmessage"),
    "campaigns_chatmessage_answer": ("post", {"pk": 10**9}, "campaigns.add_chatmessage"),
    "campaigns_chatmessage_picture": ("post", {"pk": 10**9}, "campaigns.add_chatmessage"),
    "campaigns_chatmessage_file": ("get", {"pk": 10**9}, "campaigns.view_chatmessage"),
    "campaigns_accountday_article": ("get", {"account": 10**9, "msgid": "1_1"}, "campaigns.view_accountday"),
    "campaigns_accountday_ask": ("post", {"account": 10**9}, "campaigns.change_accountday"),
    "crm_profilealias_undo": ("post", {"pk": 10**9}, "crm.change_profilealias"),
    "crm_profile_timeline": ("get", {"pk": 10**9}, "crm.view_profile"),
    "crm_profile_reveal": ("post", {"pk": 10**9}, "crm.view_unmasked"),
    "crm_profile_consent": ("post", {"pk": 10**9}, "crm.record_consent"),
    "crm_profile_preference_link": ("post", {"pk": 10**9}, "crm.record_consent"),
    "crm_profile_revoke_links": ("post", {"pk": 10**9}, "crm.record_consent"),
    "crm_notice_publish": ("post", {"pk": 10**9}, "crm.change_notice"),
    "crm_release_ask": ("post", {"name": "people-by-gender"}, "crm.add_release"),
    "campaigns_report_file": ("get", {"pk": 10**9}, "crm.view_profile"),
    "campaigns_report_compare": ("get", {}, "crm.view_profile"),
    "campaigns_report_ask": ("post", {"pk": 10**9}, "crm.add_release"),
    "campaigns_follower_remark": ("post", {"pk": 10**9}, "campaigns.change_follower"),
    "campaigns_channelaccount_rights": ("post", {"pk": 10**9}, "campaigns.change_channelaccount"),
    "campaigns_channelaccount_test": ("post", {"pk": 10**9}, "campaigns.change_channelaccount"),
    "crm_impactassessment_revise": ("post", {"pk": 10**9}, "crm.add_impactassessment"),
    "crm_impactassessment_approve": ("post", {"pk": 10**9}, "crm.approve_impactassessment"),
    "crm_impactassessment_withdraw": ("post", {"pk": 10**9}, "crm.approve_impactassessment"),
    "crm_consent_embed": ("get", {}, "crm.view_purpose"),
    "crm_compliance": ("get", {}, "crm.view_checkpoint"),
    "crm_audit_order": ("post", {}, "crm.export_audit_bundle"),
    "crm_audit_approved": ("post", {"pk": UUID(int=1)}, "crm.export_audit_bundle"),
    "crm_audit_download": ("get", {"pk": 10**9, "kind": "zip"}, "crm.export_audit_bundle"),
    "crm_audit_verifier": ("get", {}, "crm.view_checkpoint"),
    "crm_audit_checkpoint": ("get", {}, "crm.view_checkpoint"),
    "crm_data_map": ("get", {}, "crm.view_data_map"),
    "crm_data_map_file": ("get", {}, "crm.view_data_map"),
    "crm_ledger_check": ("post", {}, "crm.view_checkpoint"),
    "crm_rejectedevent_replay": ("post", {"pk": 10**9}, "crm.change_rejectedevent"),
    "crm_import": ("get", {}, "crm.add_event"),
    "crm_import_mapping": ("get", {"ticket": "x"}, "crm.add_event"),
    "crm_jobrun_progress": ("get", {"pk": 10**9}, "crm.view_jobrun"),
    "crm_jobrun_errors": ("get", {"pk": 10**9}, "crm.view_rejectedevent"),
    "crm_jobrun_control": ("post", {"pk": 10**9, "verb": "pause"}, "crm.change_jobrun"),
    "crm_approval_decide": ("post", {"pk": str(UUID(int=1)), "verb": "approve"}, "crm.decide_approval"),
    "crm_privacyrequest_do": ("post", {"pk": 10**9, "verb": "begin"}, "crm.handle_privacyrequest"),
    "crm_privacyrequest_pack": ("post", {"pk": 10**9}, "crm.handle_privacyrequest"),
    "crm_legalhold_release": ("post", {"pk": 10**9}, "crm.change_legalhold"),
    "crm_retentionrun_rehearse": ("post", {}, "crm.add_retentionrun"),
    "crm_retentionrun_release": ("post", {"pk": 10**9}, "crm.release_retention"),
    "crm_retentionrun_take_back": ("post", {}, "crm.release_retention"),
    "crm_source_renew": ("post", {"pk": 10**9}, "crm.change_source"),
    "campaigns_campaign_do": ("post", {"pk": 10**9, "verb": "pause"}, "campaigns.run_campaign"),
    "campaigns_campaign_planner": ("get", {"pk": 10**9}, "campaigns.view_campaign"),
    "campaigns_campaign_runs": ("get", {"pk": 10**9}, "campaigns.view_campaign"),
    "campaigns_campaign_rehearsal": ("get", {"pk": 10**9}, "campaigns.view_campaign"),
    "campaigns_stop": ("post", {}, "campaigns.stop_sending"),
    "campaigns_go_on": ("post", {}, "campaigns.restart_sending"),
    "campaigns_runbook": ("get", {}, "campaigns.view_alarm"),
    "campaigns_alarm_acknowledge": ("post", {"pk": 10**9}, "campaigns.change_alarm"),
    "campaigns_webhookendpoint_rotate": ("post", {"pk": 10**9}, "campaigns.change_webhookendpoint"),
    "campaigns_webhookendpoint_ping": ("post", {"pk": 10**9}, "campaigns.change_webhookendpoint"),
    "campaigns_webhookendpoint_do": ("post", {"pk": 10**9, "verb": "off"}, "campaigns.change_webhookendpoint"),
    "campaigns_webhookmessage_replay": ("post", {"pk": UUID(int=1)}, "campaigns.change_webhookendpoint"),
    "campaigns_segment_preview": ("post", {}, "campaigns.view_segment"),
    "campaigns_campaign_calendar": ("get", {}, "campaigns.view_campaign"),
    "campaigns_segment_people": ("post", {}, "campaigns.view_segment crm.view_profile"),
    "campaigns_segment_reachable": ("post", {}, "campaigns.view_segment crm.view_profile"),
    "campaigns_segment_overlap": ("post", {}, "campaigns.view_segment crm.view_profile"),
    "campaigns_segment_exact": ("post", {}, "campaigns.view_segment crm.view_profile"),
    "campaigns_segment_counted": ("get", {"pk": 10**9}, "campaigns.view_segment crm.view_profile"),
    "campaigns_segment_snapshot": (
        "get",
        {"pk": 10**9},
        "campaigns.view_segmentsnapshot crm.view_profile",
    ),
    "campaigns_segment_take": ("post", {"pk": 10**9}, "campaigns.change_segment crm.view_profile"),
    "campaigns_segment_upload": ("post", {"pk": 10**9}, "campaigns.change_segment"),
    "campaigns_segment_uploads": ("get", {"pk": 10**9}, "campaigns.view_segment"),
    "campaigns_segment_unknown": ("get", {"pk": 10**9}, "campaigns.change_segment"),
    "campaigns_segment_archive": ("post", {"pk": 10**9}, "campaigns.change_segment"),
    "mlengine_reasons": ("get", {"pk": 10**9, "profile": 1}, "mlengine.view_score"),
    "mlengine_nights": ("get", {}, "mlengine.view_modelversion"),
    "mlengine_effects": ("get", {}, "mlengine.view_modelversion"),
    "mlengine_care": ("get", {"spec": "none"}, "mlengine.view_modelversion"),
    "mlengine_lineage": ("get", {"pk": 10**9}, "mlengine.view_predictionrun"),
    "mlengine_modelversion_roll_back": ("post", {"pk": 10**9}, "mlengine.change_modelversion"),
    "mlengine_modelversion_challenge": ("post", {"pk": 10**9}, "mlengine.change_modelversion"),
    "mlengine_modelversion_stand_down": ("post", {"pk": 10**9}, "mlengine.change_modelversion"),
    "mlengine_modelversion_search": ("post", {"spec": "none"}, "mlengine.add_trial"),
    "mlengine_modelversion_promote": ("post", {"pk": 10**9}, "mlengine.change_modelversion"),
    "mlengine_modelversion_train": ("post", {"spec": "none"}, "mlengine.add_modelversion"),
    "mlengine_modelversion_predict": ("post", {"spec": "none"}, "mlengine.add_predictionrun"),
    "oauth2_provider_application_revoke": ("post", {"pk": 10**9}, "config.change_apiaccess"),
    "campaigns_template_preview": ("post", {}, "campaigns.view_template"),
    "campaigns_template_test": ("post", {"pk": 10**9}, "campaigns.change_template"),
    "campaigns_minilink_programs": ("get", {}, "campaigns.view_minilink"),
    "campaigns_minilink_check": ("post", {"pk": 10**9}, "campaigns.add_minilink"),
    "campaigns_minilink_make": ("post", {"pk": 10**9}, "campaigns.add_minilink"),
    "campaigns_minilink_picture": ("get", {"pk": 10**9}, "campaigns.view_minilink"),
    "campaigns_staff_read": ("post", {"pk": 10**9}, "campaigns.change_staff"),
    "campaigns_handover_read": ("post", {"pk": 10**9}, "campaigns.add_handover"),
    "campaigns_staffcontact_read_remark": ("post", {"pk": 10**9}, "crm.view_unmasked"),
    "campaigns_staffcontact_write_remark": ("post", {"pk": 10**9}, "campaigns.change_staffcontact"),
    "campaigns_arrivalway_read": ("post", {"pk": 10**9}, "campaigns.change_arrivalway"),
    "campaigns_staffday_ask": ("post", {"pk": 10**9}, "campaigns.change_staffday"),
    "campaigns_arrivalway_do": ("post", {"pk": 10**9, "verb": "close"}, "campaigns.change_arrivalway"),
    "campaigns_customertag_read": ("post", {"pk": 10**9}, "campaigns.change_customertag"),
    "campaigns_customergroup_read": ("post", {"pk": 10**9}, "campaigns.change_customergroup"),
    "campaigns_picture_file": ("get", {"pk": 10**9}, "campaigns.view_picture"),
    "campaigns_moment_hand_over": ("post", {"pk": 10**9}, "campaigns.approve_campaign"),
    "auth_user_password_change": ("get", {"id": 10**9}, "auth.change_user"),
}
ORDINARY = ("_add", "_change", "_delete", "_changelist", "_history")
FOR_ALL_STAFF = {
    *("index", "login", "logout", "password_change", "password_change_done", "jsi18n", "view_on_site", "app_list"),
    *("search", "autocomplete"),
    # One's own programs only: nobody sees or decides of another's.
    *("oauth2_provider_application_mine", "oauth2_provider_application_mine_do"),
}
# Fields that a form lets nobody change, or only some; what is not named here, whoever may change a row may change.
CHANGEABLE = {
    "auth.user": {
        *("username", "password", "first_name", "last_name", "email", "is_active", "is_staff", "groups"),
        *("last_login", "date_joined"),
    },
}
each_role = pytest.mark.parametrize("role", ROLES)


def label(model: type[Any]) -> str:
    return str(model._meta.label_lower)


def request_of(user: User) -> Any:
    request = RequestFactory().get("/")
    request.user = user
    return request


def test_every_model_stands_in_the_table_or_among_those_that_only_code_reads() -> None:
    known = {label(model) for model in tables.models()}
    assert known == set(MODELS) | NOBODYS, "decide who may do what with it, in crm/role_matrix.py"
    assert not set(MODELS) & NOBODYS


def test_every_special_permission_stands_in_the_table() -> None:
    special = {
        f"{model._meta.app_label}.{name}" for model in tables.models() for name, _words in model._meta.permissions
    }
    assert special == set(SPECIAL)
    assert {role for roles in SPECIAL.values() for role in roles.split()} <= set(ROLES)


def test_every_row_names_every_role_in_letters_that_are_known() -> None:
    for row in MODELS.values():
        assert len(row.split()) == len(ROLES)
        assert set(row) <= {*VERBS, "-", " "}


def test_nobody_but_support_and_compliance_can_reveal_a_person_and_who_runs_the_system_decides_nothing() -> None:
    assert {role for role in ROLES if "crm.view_unmasked" in permissions(role)} == {"Support", "Compliance"}
    assert not set(SPECIAL) & set(permissions("Admin"))
    assert not [
        name for name in permissions("Admin") if name.endswith(("_group", "_permission")) and "view" not in name
    ]


@each_role
def test_a_group_has_exactly_its_permissions(role: str) -> None:
    Group.objects.create(name=role).permissions.add(Permission.objects.get(codename="delete_profile"))
    create_groups(exactly=True)
    group = Group.objects.get(name=role)
    found = {f"{row.content_type.app_label}.{row.codename}" for row in group.permissions.select_related("content_type")}
    assert found == set(permissions(role))
    assert not found & {f"{model.split('.')[0]}.{verb}_{model.split('.')[1]}" for model in NOBODYS for verb in VERBS}


def test_the_command_can_bring_the_groups_back_to_the_table() -> None:
    create_groups()
    Group.objects.get(name="Admin").permissions.add(Permission.objects.get(codename="view_unmasked"))
    call_command("create_groups", verbosity=0, stdout=StringIO())
    assert Group.objects.filter(name="Admin", permissions__codename="view_unmasked").exists()
    call_command("create_groups", "--exactly", verbosity=0, stdout=StringIO())
    assert not Group.objects.filter(name="Admin", permissions__codename="view_unmasked").exists()


def test_no_model_has_a_page_that_the_table_gives_nobody() -> None:
    assert not {label(model) for model in admin.site._registry} & NOBODYS


@each_role
def test_each_page_opens_for_whom_the_table_says(role: str) -> None:
    user = member(role)
    browser = logged_in(user)
    for model, page in admin.site._registry.items():
        may = letters(label(model), role)
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        assert (browser.get(reverse(f"admin:{name}_changelist")).status_code == 200) == ("v" in may), name
        adds = "a" in may and label(model) not in SHOWN_ONLY - ADDED_TO
        assert (browser.get(reverse(f"admin:{name}_add")).status_code == 200) == adds, name
        asked = request_of(User.objects.get(pk=user.pk))
        assert page.has_view_permission(asked) == ("v" in may), name
        if label(model) not in SHOWN_ONLY:
            assert page.has_change_permission(asked) == ("c" in may), name
            assert not page.has_delete_permission(asked) or "d" in may, name


@each_role
def test_each_list_offers_only_actions_that_the_role_may_do(role: str) -> None:
    asked = request_of(member(role))
    for model, page in admin.site._registry.items():
        may = letters(label(model), role)
        offered = set(page.get_actions(asked)) if "v" in may else set()
        assert "delete_selected" not in offered or "d" in may, label(model)
        assert not offered - {"delete_selected"} or "c" in may or "a" in may, (label(model), offered)


def test_every_button_stands_in_the_table() -> None:
    found = set()
    for pattern in admin.site.get_urls():
        for one in getattr(pattern, "url_patterns", [pattern]):
            name = one.name if isinstance(one, URLPattern) else None
            if name and not name.endswith(ORDINARY) and name not in FOR_ALL_STAFF:
                found.add(name)
    found.add("auth_user_password_change")
    assert found == set(BUTTONS)


@each_role
def test_each_button_asks_for_its_permission(role: str) -> None:
    browser = logged_in(member(role), second_factor=True)
    browser.raise_request_exception = False
    person, may, wrong = factories.profile().pk, set(permissions(role)), []
    for name, (method, arguments, permission) in BUTTONS.items():
        where = {"pk": person} if name.startswith("crm_profile_") else arguments
        with undone():
            answer = getattr(browser, method)(reverse(f"admin:{name}", kwargs=where))
            answer.getvalue()  # some are files, which are closed when they were read
        has = set(permission.split()) <= may
        if answer.status_code == 403 if has else answer.status_code not in {403, 404}:
            wrong.append(f"{name}: {role} {'has' if has else 'has no'} {permission}, told {answer.status_code}")
    assert not wrong


@each_role
def test_nobody_deletes_a_person_an_event_or_a_colleague_by_a_page(role: str) -> None:
    for model in ("crm.profile", "crm.event", "auth.user", "crm.source"):
        assert "d" not in letters(model, role)


@each_role
def test_each_form_lets_change_what_the_table_says(role: str) -> None:
    asked = request_of(member(role))
    for model, page in admin.site._registry.items():
        if label(model) not in CHANGEABLE or "c" not in letters(label(model), role):
            continue
        row = User.objects.create_user("another")
        form = page.get_form(asked, row, change=True)
        assert set(form.base_fields) == CHANGEABLE[label(model)], label(model)


def test_who_runs_the_system_can_neither_raise_themselves_nor_another_above_themselves() -> None:
    boss = member("Admin", "boss")
    other = User.objects.create_user("other", is_staff=True)
    compliance = Group.objects.get(name="Compliance")
    for target in (boss, other):
        page = logged_in(boss).get(reverse("admin:auth_user_change", args=[target.pk]))
        fields = set(page.context["adminform"].form.fields)
        assert not fields & {"is_superuser", "user_permissions"}
        assert ("groups" in fields) == (target == other)
    logged_in(boss).post(
        reverse("admin:auth_user_change", args=[boss.pk]),
        {"username": "boss", "groups": [compliance.pk], "is_superuser": "on", "is_active": "on", "is_staff": "on"},
    )
    boss = User.objects.get(pk=boss.pk)
    assert not boss.is_superuser
    assert not boss.has_perm("crm.view_unmasked")
    admins = Group.objects.get(name="Admin")
    assert logged_in(boss).post(reverse("admin:auth_group_change", args=[admins.pk]), {"name": "x"}).status_code == 403


@each_role
def test_no_role_sees_a_name_or_an_identifier_without_revealing_it(role: str) -> None:
    person = factories.profile("canary-identifier-4711", name="康娜瑞")
    browser = logged_in(member(role))
    pages = [reverse("admin:crm_profile_changelist"), reverse("admin:crm_profile_change", args=[person.pk])]
    pages += [reverse("admin:crm_identifier_changelist"), reverse("admin:crm_event_changelist")]
    pages += [reverse("admin:search") + "?s=canary"]
    for address in pages:
        text = browser.get(address).content.decode()
        assert "康娜瑞" not in text, address
        assert "canary-identifier-4711" not in text, address


def test_staff_without_a_role_see_nothing() -> None:
    browser = logged_in(User.objects.create_user("new", is_staff=True))
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        try:
            address = reverse(f"admin:{name}_changelist")
        except NoReverseMatch:
            continue
        assert browser.get(address).status_code == 403


def test_what_the_api_gives_without_masks_needs_a_scope_of_its_own() -> None:
    assert {scope for scope in SCOPES if "unmasked" in scope} == {"profiles:unmasked"}


def test_whoever_sees_when_somebody_bought_may_see_what_she_did() -> None:
    for role in ROLES:
        may = permissions(role)
        assert "mlengine.view_repurchase" not in may or "crm.view_event" in may, role


def test_the_history_of_the_admin_carries_no_personal_value() -> None:
    person = factories.profile("canary-identifier-4711", name="康娜瑞")
    browser = logged_in(member("Compliance"))
    browser.post(reverse("admin:crm_profile_change", args=[person.pk]), {"city": "上海", "personalisation": "on"})
    officer = logged_in(member("Compliance", "second"))
    page = officer.get(reverse("admin:admin_logentry_changelist")).content.decode()
    assert Profile.objects.get(pk=person.pk).city == "上海"
    assert str(person.pk) in page
    assert "康娜瑞" not in page
    assert "上海" not in page


def test_one_sees_ones_own_requests_for_approval_and_who_decides_sees_all() -> None:
    from datetime import UTC, datetime

    from crm import approvals

    ann, bob = member("Analyst", "ann"), member("Analyst", "bob")
    officer = member("Compliance", "officer")
    request = approvals.ask("clear_export", "x", {}, by=ann, reason="why", now=datetime.now(UTC))
    address = reverse("admin:crm_approval_change", args=[request.pk])
    assert logged_in(ann).get(address).status_code == 200
    assert logged_in(bob).get(address).status_code == 302  # as one that does not exist
    assert "Your decision" in logged_in(officer).get(address).content.decode()
    assert "Your decision" not in logged_in(ann).get(address).content.decode()
    decide = reverse("admin:crm_approval_decide", args=[request.pk, "approve"])
    logged_in(ann).post(decide)
    assert Approval.objects.get().decision == "waiting"
    assert "reauthenticate" in logged_in(officer, seconds_ago=601).post(decide)["Location"]
    assert Client().post(decide).status_code == 302
    assert Approval.objects.get().decision == "waiting"
    logged_in(officer).post(decide, {"answer": "Fine."})
    assert Approval.objects.get().decision == "approved"
