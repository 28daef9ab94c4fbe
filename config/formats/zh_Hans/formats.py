"""What Django's own formats have otherwise: figures are grouped by three with commas; a month begins with no 0."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
MONTH_DAY_FORMAT = "n月j日"
