"""Campaigns in the admin: one module a topic."""

from campaigns.admin import templates

__all__ = ["templates"]
