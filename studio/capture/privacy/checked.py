"""Numbers that prove themselves: payment cards, IBANs, national ids with check digits, phone numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import phonenumbers

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN", "BR", "AU")
"""Whose national way to write a phone number is understood; with a country code, every country's is."""
IBAN_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU XK",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM", "28": "AL AZ BY CY DO GT HU LB NI PL SV",
        "29": "BR EG PS QA UA", "30": "JO KW MU YE", "31": "MT SC", "32": "LC", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
"""From the SWIFT IBAN registry."""
DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
CODICE_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def is_card(text: str) -> bool:
    """Whether the digits are a payment card's: a known first number, a length that goes with it, Luhn's sum."""
    digits = [int(each) for each in text if each.isdigit()]
    if not _issued("".join(map(str, digits[:4])), len(digits)) or len(set(digits)) == 1:
        return False
    return (sum(digits[-1::-2]) + sum(sum(divmod(2 * each, 10)) for each in digits[-2::-2])) % 10 == 0


def _issued(first: str, length: int) -> bool:
    four, two = int(first or 0), int(first[:2] or 0)
    if first.startswith("4"):
        return length in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (34, 37):
        return length == 15
    if two in (36, 38, 39) or 3000 <= four <= 3059:
        return 14 <= length <= 19
    return (four == 6011 or two in (60, 62, 64, 65, 81) or 3528 <= four <= 3589) and 16 <= length <= 19


def iban_end(text: str) -> int | None:
    """Where the IBAN at the start of the text ends, if it is one: its country's length, and 1 modulo 97."""
    length = IBAN_LENGTHS.get(text[:2].upper())
    kept, end = "", 0
    while length and len(kept) < length and end < len(text):
        kept += text[end] if text[end].isalnum() and text[end].isascii() else ""
        end += 1
    if length is None or len(kept) < length or (end < len(text) and text[end].isalnum()):
        return None
    number = "".join(str(int(each, 36)) for each in kept[4:] + kept[:4])
    return end if int(number) % 97 == 1 else None


def is_national_id(text: str) -> bool:
    """Whether the check digit of a Spanish, Italian, French or Brazilian number is right."""
    plain = "".join(each for each in text if each.isalnum()).upper()
    checks = {9: _is_dni, 11: _is_cpf, 15: _is_nir, 16: _is_codice_fiscale}
    return len(plain) in checks and checks[len(plain)](plain)


def _is_dni(plain: str) -> bool:
    number = plain[:8].translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and plain[8] == DNI[int(number) % 23]


def _is_cpf(plain: str) -> bool:
    if not plain.isdigit() or len(set(plain)) == 1:
        return False
    for place in (9, 10):
        total = sum(int(digit) * (place + 1 - at) for at, digit in enumerate(plain[:place]))
        if int(plain[place]) != total * 10 % 11 % 10:
            return False
    return True


def _is_nir(plain: str) -> bool:
    number = plain[:13].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and plain[13:].isdigit() and int(plain[13:]) == 97 - int(number) % 97


def _is_codice_fiscale(plain: str) -> bool:
    if not plain[15].isalpha():
        return False
    total = 0
    for place, each in enumerate(plain[:15]):
        value = int(each) if each.isdigit() else ord(each) - 65
        total += CODICE_ODD[value] if place % 2 == 0 else value
    return chr(65 + total % 26) == plain[15]


@lru_cache(8192)
def is_phone(text: str) -> bool:
    """Whether the text is a number that can be dialled, by Google's libphonenumber.

    Without a country code its digits must stand in the groups that are usual in one of the countries.
    """
    told = text.strip()
    if told.startswith("00"):
        told = "+" + told[2:]
    number = _number(told, None)
    if number is not None:
        return bool(phonenumbers.is_possible_number(number))
    return any(_is_usual(told, region) for region in REGIONS)


def _is_usual(text: str, region: str) -> bool:
    number = _number(text, region)
    if number is None or not phonenumbers.is_valid_number(number):
        return False
    found = phonenumbers.PhoneNumberMatcher(text, region, phonenumbers.Leniency.STRICT_GROUPING)
    return any(match.start == 0 and match.end == len(text) for match in found)


def _number(text: str, region: str | None) -> Any:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
