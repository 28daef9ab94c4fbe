"""The record: who we know, where it comes from, what they did, and the work that is done on it."""

from crm.models.accesses import PersonalDataAccess
from crm.models.approvals import Approval
from crm.models.assessments import ImpactAssessment
from crm.models.consent import ConsentEvent, ConsentEventPerson, ConsentState
from crm.models.events import Event, EventKey, RejectedEvent
from crm.models.exports import RowExport
from crm.models.idempotency import AnsweredRequest
from crm.models.items import Item
from crm.models.jobs import JobRun
from crm.models.keys import PersonKey
from crm.models.ledger import (
    Checkpoint,
    CheckpointCopy,
    HandOff,
    HandOffPerson,
    Leaf,
    LedgerNote,
    LedgerNotePerson,
    PendingLeaf,
    Tile,
)
from crm.models.preferences import GuardianLink, LinkEpoch, TagObjection
from crm.models.profiles import Identifier, Profile, ProfileAlias, Relation
from crm.models.purposes import Channel, Notice, Purpose
from crm.models.releases import PrivacyBudget, Release, ReleaseCharge
from crm.models.requests import (
    PrivacyRequest,
    ReplyPack,
    RequestEntry,
    RequestPause,
    RequestStep,
    RequestWarning,
)
from crm.models.retention import LegalHold, RetentionRelease, RetentionRule, RetentionRun
from crm.models.sources import Source
from crm.models.suppression import Suppression

__all__ = [
    "AnsweredRequest",
    "Approval",
    "Channel",
    "Checkpoint",
    "CheckpointCopy",
    "ConsentEvent",
    "ConsentEventPerson",
    "ConsentState",
    "Event",
    "EventKey",
    "GuardianLink",
    "HandOff",
    "HandOffPerson",
    "Identifier",
    "ImpactAssessment",
    "Item",
    "JobRun",
    "Leaf",
    "LedgerNote",
    "LedgerNotePerson",
    "LegalHold",
    "LinkEpoch",
    "Notice",
    "PendingLeaf",
    "PersonKey",
    "PersonalDataAccess",
    "PrivacyBudget",
    "PrivacyRequest",
    "Profile",
    "ProfileAlias",
    "Purpose",
    "RejectedEvent",
    "Relation",
    "Release",
    "ReleaseCharge",
    "ReplyPack",
    "RequestEntry",
    "RequestPause",
    "RequestStep",
    "RequestWarning",
    "RetentionRelease",
    "RetentionRule",
    "RetentionRun",
    "RowExport",
    "Source",
    "Suppression",
    "TagObjection",
    "Tile",
]
