"""Campaigns in the admin: one module a topic."""

from campaigns.admin import accounts, campaigns, policies, segments, templates

__all__ = ["accounts", "campaigns", "policies", "segments", "templates"]
