"""What a real browser's tests of campaigns share with those of the site."""

from tests.config.conftest import alone_at_the_end

__all__ = ["alone_at_the_end"]
