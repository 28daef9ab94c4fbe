"""Campaigns in the admin: one module a topic."""

from campaigns.admin import accounts, campaigns, guardrails, policies, reports, segments, templates, webhooks

__all__ = ["accounts", "campaigns", "guardrails", "policies", "reports", "segments", "templates", "webhooks"]
