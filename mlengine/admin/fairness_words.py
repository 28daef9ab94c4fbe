"""What groups of people and measures of their treatment are called, in the reader's language."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

MEASURES: Mapping[str, Any] = {
    "selection_rate": gettext_lazy("Selected"),
    "equal_opportunity": gettext_lazy("Found, of those who did it"),
    "calibration_gap": gettext_lazy("Said too much (+) or too little (−)"),
}
ATTRIBUTES: Mapping[str, Any] = {
    "age_band": gettext_lazy("Age"),
    "gender": gettext_lazy("Gender"),
    "province": gettext_lazy("Province"),
    "city": gettext_lazy("City"),
    "language": gettext_lazy("Language"),
    "purchases": gettext_lazy("Purchases so far"),
    "income": gettext_lazy("Income"),
    "household_size": gettext_lazy("Household size"),
}
# How ``mlengine.fairness.wording`` names a group, which is kept in English.
NAMED = re.compile(r"(?P<attribute>\w+) (?P<group>[^,]*?) by (?P<measure>\w+) \((?P<gap>-?[\d.]+)\)")


def attribute_title(name: str) -> str:
    return str(ATTRIBUTES.get(name, name.replace("_", " ").capitalize()))


def in_words(groups: str) -> str:
    """Return the groups that a decision names, in the reader's language.

    >>> from django.utils import translation
    >>> with translation.override("en"):
    ...     in_words("age_band 65+ by selection_rate (0.51), gender f by equal_opportunity (0.20)")
    'Age 65+ – Selected (0.51), Gender f – Found, of those who did it (0.20)'
    """

    def said(found: re.Match[str]) -> str:
        measure = MEASURES.get(found["measure"], found["measure"].replace("_", " "))
        return f"{attribute_title(found['attribute'])} {found['group']} – {measure} ({found['gap']})"

    return NAMED.sub(said, groups)
