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
        _("reporting on campaigns"), "configuration", "keep", reason=NOBODY, none="campaign counted state made_at",
    ),
    "campaigns.outcome": table(
        _("reporting on campaigns"), "deliveries", "delete", pseudonym="profile", quasi="age_band",
        behavioural="reached_at reached_before value value_before others", derived="cluster",
        technical="run version variant channel barred assigned_at again_at",
    ),
    "campaigns.reaction": table(
        _("reporting on campaigns"), "deliveries", "delete", pseudonym="profile delivery",
        behavioural="kind automatic link device", technical="id run variant channel",
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
    "campaigns.journey": table(
        _("leading people through steps"), "configuration", "keep", reason=NOBODY,
        none="campaign live again again_after leave_at_goal draining looked_at",
    ),
    "campaigns.journeyversion": table(
        _("leading people through steps"), "configuration", "keep", reason=NOBODY,
        staff="made_by submitted_by approved_by",
        none="id journey number graph status note sent_back_why approved_digest made_at approved_at",
    ),
    "campaigns.journeyentry": table(
        _("leading people through steps"), "deliveries", "delete", pseudonym="profile",
        behavioural="status reason step moves entered_at ended_at", technical="id run version step_at due_at",
    ),
    "campaigns.passage": table(
        _("seeing which way people go"), "configuration", "keep", reason=NOBODY, none="id version step outcome number",
    ),
    "campaigns.delivery": table(
        _("sending a message once, knowing what became of it"), "deliveries", "delete",
        pseudonym="profile provider_id address_id",
        behavioural="variant channel status reason called_at ended_at",
        technical="id occasion run job account attempt call reserved_by logged cost planned_at due_at expires_at"
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
    "campaigns.bulkjob": table(
        _("sending one message to many at once"), "configuration", "keep", reason=NOBODY, staff="sender",
        none="id account run variant language kind status reason people provider_id data_id counts called_at ended_at"
        " lease_until poll_at",
    ),
    "campaigns.accountpause": table(
        _("keeping to quotas"), "configuration", "keep", reason=NOBODY, none="account until reason",
    ),
    "campaigns.massarticle": table(
        _("sending one message to many at once"), "configuration", "keep", reason=NOBODY,
        none="id account run variant language media_id made_at",
    ),
    "campaigns.ephemeraltag": table(
        _("sending one message to many at once"), "configuration", "keep", reason=NOBODY,
        none="id account job tag_id made_at gone_at",
    ),
    "campaigns.foreignsend": table(
        _("keeping to quotas"), "configuration", "keep", reason=NOBODY,
        none="id account provider_id told_by people total followers urls at",
    ),
    "campaigns.refusedright": table(
        _("keeping to quotas"), "configuration", "keep", reason=NOBODY, none="id account api code rid since seen_at",
    ),
    "campaigns.accounttrouble": table(
        _("speaking to providers"), "configuration", "keep", reason=NOBODY,
        none="id account reason raised_at tell_from told_at closed_at",
    ),
    # -- WeChat -------------------------------------------------------------------------------------------------------
    "campaigns.follower": table(
        _("knowing who follows an account"), "deliveries", "delete", pseudonym="identifier", quasi="language",
        behavioural="following receiving scene entry tags followed_at unfollowed_at", technical="id account synced_at",
    ),
    "campaigns.inbound": table(
        _("hearing what a provider tells"), "callbacks", "delete", identifying="told", pseudonym="identifier",
        behavioural="kind happened_at", technical="id account key received_at handled_at problem",
    ),
    "campaigns.credit": table(
        _("sending what was subscribed to, once for each time"), "deliveries", "delete", pseudonym="identifier",
        behavioural="template_id delta source at", technical="id account key delivery",
    ),
    "campaigns.servicewindow": table(
        _("answering people while the platform allows it"), "callbacks", "delete", pseudonym="identifier",
        behavioural="scene opened_at expires_at remaining", technical="id account",
    ),
    "campaigns.platformtemplate": table(
        _("writing messages"), "configuration", "keep", reason=NOBODY, staff="reviewed_by",
        none="id account template_id kind title content keys category example allowed reviewed_at synced_at gone_at",
    ),
    "campaigns.channellimit": table(
        _("keeping to quotas"), "configuration", "keep", reason=NOBODY,
        none="id provider account name value source changed_at",
    ),
    "campaigns.accounttoken": table(
        _("speaking to providers"), "configuration", "keep", reason=NOBODY, key="token",
        none="account expires_at fetched_at",
    ),
    # -- an official account ------------------------------------------------------------------------------------------
    "campaigns.accounttag": table(
        _("telling groups of followers apart"), "configuration", "keep", reason=NOBODY,
        none="id account number name segment people synced_at pushed_at gone_at",
    ),
    "campaigns.menuversion": table(
        _("leading followers"), "configuration", "keep", reason=NOBODY, staff="made_by",
        none="id account number buttons origin made_at published_at",
    ),
    "campaigns.entrycode": table(
        _("knowing by which way people came"), "configuration", "keep", reason=NOBODY, staff="created_by",
        none="id account name scene campaign welcome permanent ticket url scans follows created_at expires_at",
    ),
    "campaigns.material": table(
        _("writing messages"), "configuration", "keep", reason=NOBODY,
        none="id account kind digest media_id url uploaded_at",
    ),
    "campaigns.article": table(
        _("writing messages"), "configuration", "keep", reason=NOBODY, staff="made_by",
        none="id account version language title author cover media_id publish_id url status reason made_at submitted_at"
        " published_at",
    ),
    "campaigns.templatereview": table(
        _("keeping advertising out of service messages"), "configuration", "keep", reason=NOBODY,
        staff="asked_by decided_by", none="id template statement allowed note asked_at decided_at",
    ),
    "campaigns.chatmessage": table(
        _("answering who writes to us"), "chats", "delete", sealed="text", identifying="text",
        pseudonym="profile identifier", staff="sent_by", behavioural="direction kind happened_at",
        technical="id key account status code",
    ),
    "campaigns.chatfile": table(
        _("answering who writes to us"), "chats", "delete", sealed="media_id content", identifying="media_id content",
        pseudonym="profile", behavioural="mime size", technical="message status tries due_at kept_at expires_at",
    ),
    "campaigns.followerremark": table(
        _("answering who writes to us"), "deliveries", "delete", sealed="text", identifying="text",
        pseudonym="profile identifier", staff="changed_by", technical="id account changed_at",
    ),
    "campaigns.accountday": table(
        _("reporting on accounts"), "configuration", "keep", reason=NOBODY,
        none="id account day followers came left sources readers sharers likers comments published writers messages"
        " callbacks callbacks_failed callbacks_ms slowest_ms taken_at",
    ),
    "campaigns.statistic": table(
        _("reporting on accounts"), "configuration", "keep", reason=NOBODY,
        none="id account name day told tries problem due_at taken_at",
    ),
    "campaigns.correction": table(
        _("reporting on accounts"), "configuration", "keep", reason=NOBODY,
        none="id statistic line figures noticed_at",
    ),
    "campaigns.articleday": table(
        _("reporting on accounts"), "configuration", "keep", reason=NOBODY,
        none="id account msgid day title url published_on sent readers sharers likers recommenders keepers comments"
        " day_readers day_sharers delivery_rate finished sources taken_at",
    ),
    "campaigns.staff": table(
        _("knowing which staff know which customers"), "configuration", "keep", reason=NOBODY,
        staff="userid name told_name user left_at", none="id account active synced_at",
    ),
    "campaigns.staffcontact": table(
        _("knowing which staff know which customers"), "deliveries", "delete", pseudonym="identifier",
        behavioural="state add_way tags added_at ended_at ended_by", technical="id staff synced_at",
    ),
    "campaigns.stafftask": table(
        _("sending what staff must confirm"), "configuration", "keep", reason=NOBODY, staff="staff",
        none="id job status people reached reminders reminded_at confirmed_at",
    ),
    "campaigns.minilink": table(
        _("knowing which way led into a mini program"), "configuration", "keep", reason=NOBODY, staff="created_by",
        none="id account name kind scene page campaign url image opened created_at expires_at",
    ),
    "campaigns.phonecode": table(
        _("paying for a phone number once, with its consent"), "callbacks", "null", pseudonym="identifier consent",
        technical="id account digest status reason cost currency day asked_at answered_at",
    ),
    "campaigns.privacyguide": table(
        _("saying in a mini program what is collected"), "configuration", "keep", reason=NOBODY,
        none="account declared used contact exists problem checked_at",
    ),
    "campaigns.arrivalway": table(
        _("knowing which way led to staff"), "configuration", "keep", reason=NOBODY, staff="created_by",
        none="id account name kind state groups campaign skip_verify welcome link_title link_url config_id qr_code"
        " picture card_appid card_page card_title url told writing synced_at created_at closed_at",
    ),
    "campaigns.arrivalway_staff": table(
        _("knowing which way led to staff"), "configuration", "keep", reason=NOBODY, staff="id arrivalway staff",
    ),
    "campaigns.welcome": table(
        _("welcoming who comes to staff"), "callbacks", "delete", key="code", pseudonym="identifier",
        staff="staff", behavioural="way happened_at",
        technical="id account key status reason attempt unanswered received_at give_up_at lease_until ended_at",
    ),
    "campaigns.customertag": table(
        _("knowing which staff know which customers"), "configuration", "keep", reason=NOBODY,
        none="id account tag_id name group segment synced_at gone_at",
    ),
    "campaigns.customergroup": table(
        _("counting who is in groups"), "configuration", "keep", reason=NOBODY, staff="owner",
        none="id account chat_id name members customers by_way opened_at synced_at dismissed_at",
    ),
    "campaigns.moment": table(
        _("asking staff to publish"), "configuration", "keep", reason=NOBODY, staff="created_by approved_by",
        none="id account text link_title link_url status reason job_id moment_id asked published created_at called_at"
        " poll_at",
    ),
    "campaigns.moment_pictures": table(
        _("asking staff to publish"), "configuration", "keep", reason=NOBODY, none="id moment picture",
    ),
    "campaigns.picture": table(
        _("showing pictures below messages"), "configuration", "keep", reason=NOBODY, staff="created_by",
        none="id name content kind size digest created_at",
    ),
    "campaigns.uploadedpicture": table(
        _("showing pictures below messages"), "configuration", "keep", reason=NOBODY,
        none="id picture account use media_id expires_at",
    ),
    "campaigns.acquisitionquota": table(
        _("knowing which way led to staff"), "configuration", "keep", reason=NOBODY,
        none="account total balance expiring asked_at",
    ),
    "campaigns.staffday": table(
        _("reporting on accounts"), "configuration", "keep", reason=NOBODY,
        staff="staff chats messages replied answer_minutes asked added lost group_new group_total group_members_new"
        " group_members_total group_messages",
        none="id day taken_at",
    ),
    "campaigns.moment_staff": table(
        _("asking staff to publish"), "configuration", "keep", reason=NOBODY, staff="id moment staff",
    ),
    "campaigns.momenttask": table(
        _("asking staff to publish"), "configuration", "keep", reason=NOBODY, staff="staff",
        none="id moment published synced_at",
    ),
    "campaigns.handover": table(
        _("handing customers over"), "configuration", "keep", reason=NOBODY, staff="from_staff to_staff created_by",
        none="id account message resigned created_at poll_at",
    ),
    "campaigns.handedover": table(
        _("handing customers over"), "deliveries", "delete", pseudonym="contact",
        technical="id handover status reason changed_at",
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
