"""The record in the admin: one module a topic, the same names as in ``crm.models``."""

from crm.admin import (
    accesses,
    approvals,
    assessments,
    compliance,
    consents,
    events,
    identities,
    items,
    jobs,
    notices,
    profiles,
    purposes,
    requests,
    retention,
    sources,
)

__all__ = [
    "accesses",
    "approvals",
    "assessments",
    "compliance",
    "consents",
    "events",
    "identities",
    "items",
    "jobs",
    "notices",
    "profiles",
    "purposes",
    "requests",
    "retention",
    "sources",
]
