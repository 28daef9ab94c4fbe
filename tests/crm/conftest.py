"""Fixtures of the tests of the record."""

from tests.crm.senders import send, source

__all__ = ["send", "source"]
