"""The data map of the package ``campaigns``; see ``crm.data_map``."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from crm.classification import Table, table
from crm.data_map_of_packages import NOBODY

CAMPAIGNS: Mapping[str, Table] = {
    # -- whom to reach ------------------------------------------------------------------------------------------------
    "campaigns.segment": table(
        _("describing whom to reach"), "configuration", "keep", reason=NOBODY, staff="created_by",
        none="id name description kind current created_at archived_at",
    ),
    "campaigns.segmentversion": table(
        _("describing whom to reach"), "configuration", "keep", reason=NOBODY, staff="made_by",
        none="id segment number rule made_at",
    ),
    "campaigns.listmember": table(
        _("reaching the people of a list"), "person", "delete", pseudonym="profile", quasi="segment",
        technical="added_at",
    ),
    "campaigns.segmentsnapshot": table(
        _("seeing how a segment moves"), "configuration", "keep", reason=NOBODY,
        none="id segment version size joined left taken_at",
    ),
    "campaigns.segmentmember": table(
        _("seeing how a segment moves"), "person", "delete", pseudonym="profile", derived="segment",
        technical="id joined_at left_at",
    ),
    # -- what is said -------------------------------------------------------------------------------------------------
    "campaigns.template": table(
        _("writing messages"), "configuration", "keep", reason=NOBODY, staff="created_by",
        none="id name description current created_at archived_at",
    ),
    "campaigns.templateversion": table(
        _("writing messages"), "configuration", "keep", reason=NOBODY, staff="made_by",
        none="id template number forms fallbacks made_at",
    ),
    "campaigns.link": table(
        _("knowing which link was followed"), "configuration", "keep", reason=NOBODY,
        none="id variant channel language position url label",
    ),
    "campaigns.visit": table(
        _("knowing which link was followed"), "person", "delete", pseudonym="delivery",
        behavioural="kind link automatic device system browser happened_at", technical="id",
    ),
    # -- campaigns ----------------------------------------------------------------------------------------------------
    "campaigns.campaign": table(
        _("planning messages"), "configuration", "keep", reason=NOBODY, staff="created_by submitted_by approved_by",
        none="id name kind purpose segment channels priority holdout goal goal_name attribution_window"
        " message_expires_after send_rate timing starts_at ends_at status status_reason approved_digest"
        " expected_people created_at submitted_at approved_at next_run_at",
    ),
    "campaigns.variant": table(
        _("comparing messages"), "configuration", "keep", reason=NOBODY, none="id campaign name template weight",
    ),
    "campaigns.run": table(
        _("planning messages"), "configuration", "keep", reason=NOBODY,
        none="id campaign key segment_version job salt shares counts status read_until starts_at planned_at"
        " finished_at",
    ),
    "campaigns.figures": table(
        _("reporting on campaigns"), "configuration", "keep", reason=NOBODY, none="campaign counted made_at",
    ),
    "campaigns.sendingpolicy": table(
        _("leaving people in peace"), "configuration", "keep", reason=NOBODY, staff="stopped_by",
        none="id quiet_from quiet_until holdout salt stop_reason stopped_at",
    ),
    "campaigns.sendingpolicy_on_call": table(
        _("stopping what goes wrong"), "configuration", "keep", reason=NOBODY, staff="id sendingpolicy user",
    ),
    "campaigns.frequencycap": table(
        _("leaving people in peace"), "configuration", "keep", reason=NOBODY, none="id channel most within",
    ),
    "campaigns.guardrail": table(
        _("stopping what goes wrong"), "configuration", "keep", reason=NOBODY,
        none="id campaign signal usual worst active",
    ),
    "campaigns.alarm": table(
        _("stopping what goes wrong"), "configuration", "keep", reason=NOBODY, staff="looked_at_by closed_by",
        none="id campaign run signal seen paused note closed_for raised_at tell_from told_at looked_at closed_at",
    ),
    # -- what became of each message ----------------------------------------------------------------------------------
    "campaigns.delivery": table(
        _("sending a message once, knowing what became of it"), "deliveries", "delete",
        pseudonym="profile provider_id address_id",
        behavioural="variant channel status reason called_at ended_at",
        technical="id occasion run account attempt call reserved_by logged cost planned_at due_at expires_at"
        " lease_until",
    ),
    "campaigns.callback": table(
        _("hearing what a provider tells"), "callbacks", "delete", identifying="told", derived="angry",
        technical="id account key kind code delivery happened_at received_at handled_at",
    ),
    "campaigns.channelaccount": table(
        _("speaking to providers"), "configuration", "keep", reason=NOBODY, key="secrets hook",
        none="id name channel provider settings preferred per_second per_day per_person_month cost currency status"
        " status_reason created_at",
    ),
    "campaigns.accountuse": table(
        _("keeping to quotas"), "configuration", "keep", reason=NOBODY, none="account day used paced_until",
    ),
    # -- telling other systems ----------------------------------------------------------------------------------------
    "campaigns.webhookendpoint": table(
        _("telling other systems"), "configuration", "keep", reason=NOBODY, key="secret old_secret",
        none="id name url kinds active stopped_for failures failing_since next_try_at old_secret_until created_at",
    ),
    "campaigns.webhookmessage": table(
        _("telling other systems"), "webhooks", "delete", pseudonym="profile body",
        technical="id endpoint sequence kind attempts happened_at created_at next_at delivered_at",
    ),
    "campaigns.webhookattempt": table(
        _("telling other systems"), "webhooks", "delete", technical="id message status error took_ms tried_at",
    ),
    "campaigns.ledgerreader": table(
        _("telling other systems"), "configuration", "keep", reason=NOBODY, none="id position",
    ),
}  # fmt: skip
