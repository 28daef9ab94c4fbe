"""The record: who we know, where it comes from, what they did, and the work that is done on it."""

from crm.models.accesses import PersonalDataAccess
from crm.models.assessments import ImpactAssessment
from crm.models.events import Event, EventKey, RejectedEvent
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
from crm.models.profiles import Identifier, Profile, ProfileAlias, Relation
from crm.models.requests import (
    LegalHold,
    PrivacyRequest,
    ReplyPack,
    RequestEntry,
    RequestPause,
    RequestStep,
    RetentionRule,
    RetentionRun,
)
from crm.models.sources import Source

__all__ = [
    "Checkpoint",
    "CheckpointCopy",
    "Event",
    "EventKey",
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
    "PendingLeaf",
    "PersonKey",
    "PersonalDataAccess",
    "PrivacyRequest",
    "Profile",
    "ProfileAlias",
    "RejectedEvent",
    "Relation",
    "ReplyPack",
    "RequestEntry",
    "RequestPause",
    "RequestStep",
    "RetentionRule",
    "RetentionRun",
    "Source",
    "Tile",
]
