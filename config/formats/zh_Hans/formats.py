"""Chinese business figures are grouped by three with commas; Django's own format groups none."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
