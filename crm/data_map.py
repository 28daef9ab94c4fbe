"""The data map: every table of ours, one line each; ``crm.data_map_of_packages`` has those of the packages."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from crm.classification import Table, table
from crm.data_map_of_campaigns import CAMPAIGNS
from crm.data_map_of_packages import NOBODY, PACKAGES

# Why something outlives the person, in the words that an officer gives.
PROOF = _("Proof without personal values: salted commitments, whose salt is destroyed (PIPL 69).")
ACCESSES = _("Who looked, for three years; at whom, only as a pseudonym (Network Data Regulation 12).")
REQUESTS = _("That the request was answered in time, for three years; its personal details are emptied (PIPL 50).")
SUPPRESSED = _("A keyed hash without a link to the person, so that nobody writes to the address again.")
FIGURES = _("Counts with noise, of no person.")

TABLES: Mapping[str, Table] = {
    # -- people -------------------------------------------------------------------------------------------------------
    "crm.profile": table(
        _("knowing whom we speak to"), "person", "delete", sealed="name birth_date traits",
        identifying="name birth_date traits", pseudonym="id name_index",
        quasi="age_band age_class gender birth_month birth_day province city language attributes",
        technical="personalisation restricted_at created_at updated_at",
    ),
    "crm.identifier": table(
        _("recognising a person, reaching her"), "person", "delete", sealed="value",
        identifying="value", pseudonym="profile digest suppression_key", technical="id type source verified created_at",
    ),
    "crm.personkey": table(
        _("sealing a person's values"), "person", "delete",
        key="wrapped", pseudonym="profile", technical="key_id created_at",
    ),
    "crm.profilealias": table(
        _("knowing which profiles are one person"), "person", "delete",
        pseudonym="duplicate canonical", staff="merged_by undone_by",
        technical="id source reason merged_at undone_at",
    ),
    "crm.relation": table(
        _("knowing who belongs together"), "person", "delete",
        pseudonym="from_profile to_profile", quasi="kind", technical="id weight source created_at",
    ),
    "crm.event": table(
        _("knowing what people did, learning from it"), "behaviour, messages or orders, by its kind", "delete",
        sealed="sealed", identifying="sealed", pseudonym="profile",
        behavioural="kind name item value currency quantity discount session channel properties occurred_at",
        technical="id source received_at",
    ),
    "crm.eventkey": table(
        _("taking each message once"), "behaviour", "keep", reason=NOBODY, none="key received_at",
    ),
    "crm.rejectedevent": table(
        _("letting a person look at what could not be taken"), "refused_messages", "delete",
        identifying="payload", technical="id source job index field reason received_at replayed_at",
    ),
    "crm.tagobjection": table(
        _("keeping deleted tags deleted"), "person", "delete",
        pseudonym="profile", quasi="name", technical="id kind created_at",
    ),
    "crm.linkepoch": table(_("revoking preference links"), "person", "delete", pseudonym="profile", technical="epoch"),
    "crm.guardianlink": table(
        _("asking a child's guardian"), "until a month after its end", "delete", sealed="contact",
        identifying="contact", key="digest", pseudonym="profile reference", quasi="relation",
        technical="id language asked_at expires_at sent_at",
    ),
    "crm.item": table(
        _("knowing what is shown and sold"), "configuration", "keep", reason=NOBODY,
        none="id kind code title body categories brand price currency attributes available_from available_to"
        " created_at updated_at",
    ),
    # -- consent and its proof ----------------------------------------------------------------------------------------
    "crm.consentevent": table(
        _("proving what was consented to"), "evidence", "keep", reason=PROOF,
        technical="id commitment recorded_at thread state purpose channel channel_account consent_kind legal_basis"
        " notice notice_digest rendered_digest language form_version method jurisdiction recipient pia adm_optout"
        " import_batch source idempotency claimed_at received_at valid_until cooldown_until",
    ),
    "crm.consenteventperson": table(
        _("proving who consented"), "consents", "delete", sealed="details",
        key="salt", identifying="details", pseudonym="profile", technical="event",
    ),
    "crm.consentstate": table(
        _("asking whether we may"), "consents", "delete", pseudonym="profile",
        technical="id purpose channel event state consent_kind method notice counts_from claimed_at received_at"
        " valid_until cooldown_until",
    ),
    "crm.handoff": table(
        _("proving why a message left"), "evidence", "keep", reason=PROOF,
        technical="id commitment recorded_at delivery allowed_by basis purpose channel handed_off_at",
    ),
    "crm.handoffperson": table(
        _("proving to whom a message left"), "hand_offs", "delete",
        key="salt", pseudonym="profile", technical="hand_off",
    ),
    "crm.ledgernote": table(
        _("proving what was done with data"), "evidence", "keep", reason=PROOF,
        technical="id commitment recorded_at kind reference facts_json happened_at",
    ),
    "crm.ledgernoteperson": table(
        _("proving whose data it was"), "person", "delete", key="salt", pseudonym="profile", technical="note",
    ),
    "crm.suppression": table(
        _("writing to nobody who does not want it"), "evidence", "keep", reason=SUPPRESSED,
        pseudonym="key", technical="id channel key_version reason basis since",
    ),
    "crm.pendingleaf": table(
        _("numbering evidence"), "evidence", "keep", reason=PROOF, technical="record kind hash queued_at",
    ),
    "crm.leaf": table(_("numbering evidence"), "evidence", "keep", reason=PROOF, technical="sequence record kind hash"),
    "crm.tile": table(_("proving evidence fast"), "evidence", "keep", reason=PROOF, technical="level index hash"),
    "crm.checkpoint": table(
        _("signing the evidence"), "evidence", "keep", reason=PROOF,
        technical="size root note leaves waited_ms created_at",
    ),
    "crm.checkpointcopy": table(
        _("giving checkpoints away"), "evidence", "keep", reason=PROOF,
        technical="id checkpoint kind place receipt error copied_at",
    ),
    "crm.purpose": table(
        _("saying what data is for"), "configuration", "keep", reason=NOBODY,
        none="id code kind name description channel recipient basis separate valid_for ask_again_after retention"
        " is_active created_at",
    ),
    "crm.notice": table(
        _("telling people what is done"), "evidence", "keep", reason=NOBODY, staff="published_by",
        none="id code version reference is_material items texts digest published_at created_at",
    ),
    # -- what was learned ---------------------------------------------------------------------------------------------
    "mlengine.score": table(
        _("foreseeing what a person may do"), "scores", "delete",
        pseudonym="profile", derived="value low high facts reasons", technical="run",
    ),
    "mlengine.recommendation": table(
        _("offering what fits"), "scores", "delete",
        pseudonym="profile", derived="item rank value reason", technical="run",
    ),
    "mlengine.repurchase": table(
        _("reminding of what is used up"), "scores", "delete",
        pseudonym="profile", technical="run",
        derived="rank item category probability times every_days last_on due_on due_from due_until",
    ),
    "mlengine.itemlink": table(
        _("knowing which items go together"), "configuration", "keep", reason=NOBODY,
        none="run item kind rank other value people",
    ),
    "mlengine.recommendationrule": table(
        _("deciding what is recommended"), "configuration", "keep", reason=NOBODY,
        none="id name does category brand codes least most days strength is_active changed_at",
    ),
    "mlengine.clustermember": table(
        _("knowing groups of people"), "scores", "delete", pseudonym="profile", derived="cluster",
        technical="run",
    ),
    "mlengine.cluster": table(
        _("naming groups of people"), "configuration", "keep", reason=NOBODY,
        none="id spec code name description first_seen_at",
    ),
    "mlengine.modelversion": table(
        _("knowing which model said what"), "configuration", "keep", reason=NOBODY, staff="promoted_by",
        none="id spec number job artifact sha256 card stage decision cutoff trained_at promoted_at held",
    ),
    "mlengine.metric": table(
        _("judging models"), "configuration", "keep", reason=NOBODY,
        none="id version kind subject name value low high cutoff",
    ),
    "mlengine.predictionrun": table(
        _("showing a batch of scores at once"), "scores", "keep", reason=NOBODY,
        none="id spec version job rows summary shadow lineage cutoff started_at finished_at judged_at",
    ),
    "mlengine.trial": table(
        _("finding better recipes for models"), "configuration", "keep", reason=NOBODY,
        none="id spec job number rung parameters cutoffs value seconds error",
    ),
    # -- rights, and the log of who looked ----------------------------------------------------------------------------
    "crm.privacyrequest": table(
        _("answering what a person asks for"), "requests", "null", sealed="details",
        identifying="details unshredded", pseudonym="profile profiles subject reference duplicate_of",
        staff="handled_by checked_by",
        technical="id kind method language identity_level identity_points identity_shown_by identity_failures refusal"
        " status alerted received_at due_on paused_at verified_at checked_at executed_at ended_at",
    ),
    "crm.requestpause": table(
        _("counting days"), "requests", "keep", reason=REQUESTS, technical="id request since until",
    ),
    "crm.requestentry": table(
        _("telling how a request went"), "requests", "keep", reason=REQUESTS, staff="user",
        technical="id request what facts at",
    ),
    "crm.requestwarning": table(
        _("telling officers what comes due"), "requests", "keep", reason=REQUESTS, staff="user",
        technical="id request stage noticed_at attempts error not_before sent_at",
    ),
    "crm.requeststep": table(
        _("carrying a request out"), "requests", "keep", reason=REQUESTS,
        technical="id request place store status receipt attempts error started_at finished_at",
    ),
    "crm.replypack": table(
        _("handing a copy out"), "requests", "keep", reason=REQUESTS,
        technical="request path sha256 size downloads made_at expires_at deleted_at",
    ),
    "crm.answeredrequest": table(
        _("answering a repeated call alike"), "seven days", "keep", reason=NOBODY,
        technical="key request status answer answered_at",
    ),
    "crm.personaldataaccess": table(
        _("knowing who looked"), "accesses", "keep", reason=ACCESSES, pseudonym="profile",
        staff="user actor reason", technical="id action what count at",
    ),
    "crm.approval": table(
        _("letting two decide"), "accesses", "keep", reason=ACCESSES, pseudonym="subject parameters",
        staff="requested_by reason decided_by answer",
        technical="id action digest decision requested_at decided_at expires_at used_at",
    ),
    "crm.legalhold": table(
        _("keeping what a court wants"), "requests", "null", pseudonym="profile", staff="placed_by released_by",
        technical="id reference reason scope data_class placed_at released_at",
    ),
    "crm.retentionrule": table(
        _("saying how long"), "configuration", "keep", reason=NOBODY, staff="changed_by",
        none="id data_class purpose keep changed_at",
    ),
    "crm.rowexport": table(
        _("knowing what left the house"), "accesses", "keep", reason=NOBODY,
        none="id asked_by purpose recipient columns filters levels"
        " rows left_out k l grade sha256 refused at",
    ),
    "crm.retentionrun": table(
        _("showing what left"), "evidence", "keep", reason=NOBODY, staff="requested_by",
        none="id dry_run report lake_rows started_at finished_at",
    ),
    "crm.retentionrelease": table(
        _("letting deletion begin"), "evidence", "keep", reason=NOBODY, staff="released_by",
        none="id data_class run keep released_at",
    ),
    "crm.impactassessment": table(
        _("weighing risks before they are taken"), "assessments", "keep", reason=NOBODY,
        staff="prepared_by approved_by",
        none="id subject title purposes data_types necessity risks level measures conclusion is_synthetic created_at"
        " approved_at valid_until withdrawn_at",
    ),
    "crm.privacybudget": table(
        _("limiting what figures tell"), "configuration", "keep", reason=FIGURES,
        none="id scope begins_on ends_on epsilon delta spent",
    ),
    "crm.release": table(
        _("telling the same figure again"), "evidence", "keep", reason=FIGURES,
        none="id name digest answer mechanism epsilon data_at released_at",
    ),
    "crm.releasecharge": table(
        _("counting what was told"), "evidence", "keep", reason=FIGURES, staff="asked_by",
        none="id budget release charged_at",
    ),
    # -- the house ----------------------------------------------------------------------------------------------------
    "crm.source": table(
        _("knowing where events come from"), "configuration", "keep", reason=NOBODY, key="write_key_hash",
        none="id name kind write_key_hint is_active created_at",
    ),
    "crm.jobrun": table(
        _("watching long work"), "jobs", "null", staff="requested_by", behavioural="title parameters result error",
        technical="id kind status step done total rejected checkpoint created_at started_at heartbeat_at finished_at",
    ),
    "config.apiaccess": table(
        _("letting programs in"), "configuration", "keep", reason=NOBODY, staff="agreed_by",
        none="application scopes epoch agreed_scopes",
    ),
    **CAMPAIGNS,
    **PACKAGES,
}  # fmt: skip
