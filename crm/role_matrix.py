"""Who may do what, in one table: each model, each role; and what counts as more than looking at a row.

Letters: v see the rows (people masked), a add, c change (also: what is done *to* a row, as pausing a job), d delete.
Groups get just this (``crm.roles``); the admin, its buttons and the jobs they start ask for the permissions that
this table stands for, and tests hold every page to it. A model that is not here fails a test: decide, add its line.

Least privilege: whoever administers the system sees people masked and can neither reveal one, nor decide what needs a
second person, nor change what a group may do. A superuser can; make one for emergencies and work as somebody else.
"""

from collections.abc import Mapping

ROLES = ("Marketing", "Analyst", "Support", "Compliance", "Admin")

# In the order of ROLES.
MODELS: Mapping[str, str] = {
    # -- people: masked for everybody; analysts see groups only, counted with noise (mlengine/figures.py) --
    "crm.profile": "v - v vc v",
    "crm.identifier": "- - v v v",
    "crm.profilealias": "- - - vc v",
    "crm.relation": "v - v v v",
    "crm.event": "va - v v va",  # a file may bring new ones; nothing and nobody changes or deletes one
    "mlengine.score": "v - v v v",
    "mlengine.recommendation": "v - v v v",
    "mlengine.repurchase": "v - v v v",
    "mlengine.itemlink": "v v v v v",
    "mlengine.recommendationrule": "vacd v v v vacd",
    "mlengine.cluster": "v v v v v",
    "mlengine.clustermember": "v - v v v",
    "mlengine.predictionrun": "v va v v v",
    # -- what the record is made of --
    "crm.item": "vac vac v v vac",
    "crm.source": "v - - v vac",
    "crm.rejectedevent": "vc - - v vc",
    "crm.jobrun": "v vc - v vc",
    "mlengine.modelversion": "v vac - v v",
    "mlengine.metric": "v v - v v",
    "mlengine.trial": "v va - v v",  # to add one is to search
    # -- consent and its proof --
    "crm.purpose": "v v v vac v",
    "crm.notice": "v v v vac v",
    "crm.consentevent": "- - v v -",
    "crm.consentstate": "v - v v -",
    "crm.suppression": "- - - v -",
    "crm.handoff": "- - - v -",
    "crm.ledgernote": "- - - v -",
    "crm.leaf": "- - - v -",
    "crm.checkpoint": "- - - v -",
    "crm.checkpointcopy": "- - - v -",
    # -- campaigns: marketing writes, a colleague approves --
    "campaigns.segment": "vac v - v v",
    "campaigns.segmentversion": "v v - v v",
    "campaigns.segmentsnapshot": "v v - v v",
    "campaigns.template": "vac v - v v",
    "campaigns.templateversion": "v v - v v",
    "campaigns.campaign": "vac v v v v",
    "campaigns.variant": "vacd v v v v",
    "campaigns.run": "v v v v v",
    "campaigns.journey": "vac v v v v",
    "campaigns.journeyversion": "vac v v v v",
    "campaigns.journeyentry": "v - v v v",  # who walks where
    "campaigns.figures": "v v v v v",  # exact for those who may see people, with noise for analysts
    "campaigns.delivery": "v - v v v",
    "campaigns.channelaccount": "v - - v vac",
    "campaigns.sendingpolicy": "v v v vc v",
    "campaigns.frequencycap": "v v v vacd v",
    "campaigns.guardrail": "vac v - v v",
    "campaigns.alarm": "vc v v v v",
    "campaigns.webhookendpoint": "- - - v vac",
    "campaigns.webhookmessage": "- - - v v",
    "campaigns.bulkjob": "v - v v v",
    # -- WeChat --
    "campaigns.follower": "vc - v v v",  # to change them is to read them anew from the platform
    "campaigns.accounttag": "vac v v v v",
    "campaigns.menuversion": "vac v v v v",
    "campaigns.entrycode": "vac v v v v",
    "campaigns.article": "vac v v v v",
    "campaigns.accountday": "vc v v v v",
    "campaigns.chatmessage": "va - va v -",  # what people write: for who answers them, not for who runs the system
    "campaigns.platformtemplate": "vc - v vc v",  # a colleague reviews; nobody makes one here
    "campaigns.channellimit": "v - - v vacd",
    "campaigns.staff": "vc - v v vc",
    "campaigns.staffcontact": "vc - vc v v",
    "campaigns.stafftask": "v - v v v",
    # -- WeChat: mini programs and WeCom --
    "campaigns.minilink": "va v - v v",
    "campaigns.phonecode": "v - - v v",
    "campaigns.privacyguide": "v - - v v",
    "campaigns.arrivalway": "vac v - v v",
    "campaigns.welcome": "v - v v v",
    "campaigns.customertag": "vac v - v v",
    "campaigns.customergroup": "vc v - v v",
    "campaigns.moment": "vac v - v v",
    "campaigns.picture": "va v - v v",
    "campaigns.staffday": "vc v - v v",
    "campaigns.handover": "va - - v va",
    # -- privacy at work --
    "crm.privacyrequest": "- - - va -",
    "crm.legalhold": "- - - vac -",
    "crm.retentionrule": "- - - vacd -",
    "crm.retentionrun": "- - - va -",
    "crm.impactassessment": "v vac - vac -",
    "crm.personaldataaccess": "- - - v -",
    "crm.approval": "v v v v -",
    "crm.privacybudget": "- v - v -",
    "crm.release": "- va - v -",
    "crm.rowexport": "- - - va -",
    # -- who works here --
    "auth.user": "- - - - vac",
    "auth.group": "- - - - v",
    "oauth2_provider.application": "- - - - vacd",
    "config.apiaccess": "- - - - vacd",
    "mfa.authenticator": "- - - - v",
    "axes.accessattempt": "- - - - vd",
    "admin.logentry": "- - - v v",
}

# What is more than looking at a row: the permission, and the roles that have it.
SPECIAL: Mapping[str, str] = {
    "crm.view_unmasked": "Support Compliance",  # one person at a time, with a reason, logged
    "crm.record_consent": "Support Compliance",  # what somebody said by phone or letter, with the proof
    "crm.decide_approval": "Compliance",
    "crm.export_audit_bundle": "Compliance",
    "crm.view_data_map": "Analyst Compliance",  # which columns there are and what for; no person's data
    "crm.approve_impactassessment": "Compliance",
    "mlengine.override_fairness": "Compliance",  # a model that treats groups of people unequally serves nevertheless
    "crm.handle_privacyrequest": "Compliance",
    "crm.check_privacyrequest": "Compliance",
    "crm.release_retention": "Compliance",  # after a look at a rehearsal, class by class
    "campaigns.approve_campaign": "Marketing Compliance",  # a colleague, never whoever asked
    "campaigns.run_campaign": "Marketing",
    "campaigns.stop_sending": "Marketing Support Compliance",  # wide: whoever sees the fire
    "campaigns.restart_sending": "Marketing Compliance",  # narrower, with a reason and the password again
}

# Rows that only code reads and writes: no page, no permission, for nobody.
NOBODYS = frozenset(
    {
        *("auth.permission", "contenttypes.contenttype", "sessions.session"),
        *("campaigns.uploadedpicture", "campaigns.acquisitionquota"),
        *("oauth2_provider.grant", "oauth2_provider.accesstoken", "oauth2_provider.refreshtoken"),
        *("oauth2_provider.idtoken", "oauth2_provider.devicegrant", "account.emailaddress"),
        *("account.emailconfirmation", "axes.accessfailurelog", "axes.accessattemptexpiration", "axes.accesslog"),
        *("crm.handoffperson", "crm.ledgernoteperson", "crm.pendingleaf", "crm.tile", "crm.consenteventperson"),
        *("crm.eventkey", "crm.personkey", "crm.requestpause", "crm.requestentry", "crm.requeststep", "crm.replypack"),
        *("campaigns.outcome", "campaigns.reaction", "campaigns.passage"),
        *("campaigns.listmember", "campaigns.segmentmember", "campaigns.link", "campaigns.visit", "campaigns.callback"),
        *("campaigns.inbound", "campaigns.credit", "campaigns.servicewindow", "campaigns.accounttoken"),
        *("campaigns.accountpause", "campaigns.massarticle", "campaigns.ephemeraltag", "campaigns.foreignsend"),
        *("campaigns.material", "campaigns.articleday", "campaigns.templatereview", "campaigns.statistic"),
        *("campaigns.correction", "campaigns.refusedright", "campaigns.accounttrouble"),
        *("campaigns.chatfile", "campaigns.followerremark"),
        *("campaigns.accountuse", "campaigns.webhookattempt", "campaigns.ledgerreader"),
        *("crm.answeredrequest", "crm.releasecharge", "crm.linkepoch", "crm.tagobjection"),
        *("crm.guardianlink", "crm.requestwarning"),
        *("campaigns.momenttask", "campaigns.handedover"),
        "crm.retentionrelease",
    }
)

VERBS = {"v": "view", "a": "add", "c": "change", "d": "delete"}


def letters(model: str, role: str) -> str:
    """Return what a role may do with a model.

    >>> letters("crm.item", "Marketing"), letters("crm.leaf", "Marketing")
    ('vac', '')
    """
    return MODELS[model].split()[ROLES.index(role)].replace("-", "")


def permissions(role: str) -> list[str]:
    """Return every permission of a role, as Django names them.

    >>> [name for name in permissions("Support") if "view_" not in name]
    ['campaigns.add_chatmessage', 'campaigns.change_staffcontact', 'crm.record_consent', 'campaigns.stop_sending']
    """
    named = [
        f"{model.split('.')[0]}.{VERBS[letter]}_{model.split('.')[1]}"
        for model in MODELS
        for letter in letters(model, role)
    ]
    return [*named, *(permission for permission, roles in SPECIAL.items() if role in roles.split())]
