"""Numbers that China gives to people: what makes one real."""

from datetime import date

# The first two digits of GB/T 2260: provinces, and 81 to 83 for residents from Hong Kong, Macau and Taiwan;
# 91 to 93 begin the permanent residence card of a foreigner.
_REGIONS = """
11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83 91 92 93
"""
REGIONS = frozenset(_REGIONS.split())
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_resident_id(value: str) -> bool:
    """Return whether this is a resident identity number: region, birth date and check digit of GB 11643.

    Those of 15 digits, given until 1999, have no check digit; whoever still writes one was born in the 1900s.

    >>> is_resident_id("11010519491231002X"), is_resident_id("11010519491231002x"), is_resident_id("110105491231002")
    (True, True, True)
    >>> is_resident_id("110105194912310021"), is_resident_id("110105194902300020"), is_resident_id("")
    (False, False, False)
    """
    value = value.upper()
    if not (value.isascii() and value[:-1].isdigit() and value[:2] in REGIONS):
        return False
    if len(value) == 15:
        return value.isdigit() and _is_date(f"19{value[6:12]}")
    return len(value) == 18 and _is_date(value[6:14]) and value[-1] == check_digit(value[:17])


def check_digit(digits: str) -> str:
    """Return the eighteenth character of an identity number (ISO 7064, MOD 11-2).

    >>> check_digit("11010519491231002")
    'X'
    """
    return "10X98765432"[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=True)) % 11]


def is_luhn(digits: str) -> bool:
    """Return whether the last digit checks the others, as on bank cards and in IMEIs (ISO/IEC 7812).

    >>> is_luhn("6222021234567894"), is_luhn("6222021234567890")
    (True, False)
    >>> is_luhn("4111111111111111"), is_luhn("")
    (True, False)
    """
    odd = sum(int(digit) for digit in digits[-1::-2])
    even = sum((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(digit)] for digit in digits[-2::-2])
    return bool(digits) and (odd + even) % 10 == 0


def is_hong_kong_id(value: str) -> bool:
    """Return whether this is the number of a Hong Kong identity card, with its check digit in or out of brackets.

    >>> is_hong_kong_id("A123456(3)"), is_hong_kong_id("A1234564")
    (True, False)
    """
    plain = value.upper().replace("(", "").replace(")", "")
    if not (8 <= len(plain) <= 9 and plain.isascii() and plain.isalnum()):
        return False
    values = [36] * (9 - len(plain)) + [int(character, 36) for character in plain]
    return sum(value * weight for value, weight in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


def _is_date(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year >= 1850
    except ValueError:
        return False
