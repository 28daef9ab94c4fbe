"""Campaigns in the admin: one module a topic."""

from campaigns.admin import accounts, templates

__all__ = ["accounts", "templates"]
