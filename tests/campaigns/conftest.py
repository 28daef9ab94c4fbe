"""What a real browser's tests of campaigns share with those of the site."""

from tests.config.conftest import alone

__all__ = ["alone"]
