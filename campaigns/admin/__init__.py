"""Campaigns in the admin: one module a topic."""

from campaigns.admin import accounts, campaigns, policies, reports, segments, templates, webhooks

__all__ = ["accounts", "campaigns", "policies", "reports", "segments", "templates", "webhooks"]
