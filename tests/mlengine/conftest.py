"""What every test of the learning has: impact assessments, without which nothing may learn."""

import pytest

from mlengine.specs import SPECS
from tests import factories


@pytest.fixture(autouse=True)
def _assessed(request: pytest.FixtureRequest) -> None:
    """Let the product's specs and those of the tests' house work, where a test has a database."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        factories.assess(*SPECS, "silence", "shelf", "halves", "broken")
