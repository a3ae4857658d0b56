"""The kinds of personal data that can be found by form: names people choose by, and where they lie in a text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from studio.capture.privacy.checked import iban_end, is_card, is_national_id, is_phone

Span = tuple[int, int]
DIGIT = re.compile(r"\d")

EMAIL_DOMAIN = re.compile(r"(?<=[\w%+'.-])(?:@|%40)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?!\w)", re.I)
EMAIL_NAME = re.compile(r"[\w%+'.-]{1,64}$")
PHONE = re.compile(
    r"(?<![\w.+/@#-])(?:\+|00(?=\d))?(?:\(\+?\d{1,4}\)|\d)(?:[ ().\u00a0\u2010-\u2015/-]{0,3}\d){6,16}(?![\w@-]|[.:]\d)"
)
SEPARATED = re.compile(r"\d[ ().\u00a0\u2010-\u2015/-]+\d")
DATE = re.compile(r"(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])")
CUE = re.compile(
    r"\b(?:tel(?:efono|éfono|efon|ephone)?|phone|mobile|mobil|cell|call|whatsapp|sms|fax|ring)\b[^\d\n]{0,20}$", re.I
)
CARD = re.compile(r"(?<!\d)\d(?:[ \u00a0-]?\d){12,}(?!\d)")
CARD_SHAPE = re.compile(
    r"(?<!\d)(?=[2-6])(?:\d{13,19}|\d{4}([ \u00a0-])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|\d{4}([ \u00a0-])\d{6}\2\d{4,5})(?!\d)"
)
GROUP = re.compile(r"\d+\)?")
MOST_BESIDE = 3
SHORTEST_PHONE = 8
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}[ -]?(?=[A-Z0-9]{4})", re.I)
SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])")
NATIONAL = re.compile(
    r"(?<![A-Za-z0-9])(?:\d{8}[ -]?[A-Z]|[XYZ]\d{7}[ -]?[A-Z]|\d{3}\.\d{3}\.\d{3}-\d{2}"
    r"|[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d{2}"
    r"|[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z])(?![A-Za-z0-9])",
    re.I,
)
NINO = re.compile(
    r"(?<![A-Za-z0-9])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]"
    r"(?![A-Za-z0-9])"
)
IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)")
IPV6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
NOBODYS = ("127.", "0.0.0.0", "255.255.255.255")
BIRTHDAY = re.compile(
    r"\b(?:born|birth ?da(?:y|te)|date of birth|d\.?o\.?b\.?|geboren|geburtsdatum|née?|nacid[oa]|nat[oa])\b"
    r"[^\d\n]{0,12}?"
    r"(?P<date>\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}|(?:\d{1,2}\.? )?[A-Z][a-zé]{2,9}\.?(?: \d{1,2},?)? \d{4})",
    re.I,
)
URL_SECRET = re.compile(
    r"[?&#](?:api_?key|key|access_?token|refresh_?token|id_?token|token|auth|password|passwd|pwd|secret|"
    r"sig|signature|x-amz-signature|code)=(?P<value>[^&\s\"'<>#\[\]]{4,})",
    re.I,
)


@dataclass(frozen=True)
class Detector:
    """One kind of personal data."""

    name: str
    label: str
    example: str
    note: str
    find: Callable[[str], Iterator[Span]]
    needs_digit: bool = True


def _emails(text: str) -> Iterator[Span]:
    if "@" not in text and "%40" not in text:
        return
    for match in EMAIL_DOMAIN.finditer(text):
        at = match.start()
        name = EMAIL_NAME.search(text, max(at - 64, 0), at)
        if name:
            yield name.start(), match.end()


def _phones(text: str) -> Iterator[Span]:
    for match in PHONE.finditer(text):
        for start, end in _windows(match):
            if _is_written_as_phone(text, start, end) and is_phone(text[start:end]):
                yield start, end
                break


def _is_written_as_phone(text: str, start: int, end: int) -> bool:
    """A bare row of digits is one only where the words before it say so; a date never is."""
    told = text[start:end]
    if told[0] == "+" or told.startswith("(+"):
        return True
    if DATE.match(told) or is_card(told) or sum(map(str.isdigit, told)) < SHORTEST_PHONE:
        return False
    return bool(SEPARATED.search(told) or CUE.search(text, max(start - 40, 0), start))


def _windows(match: re.Match[str]) -> Iterator[Span]:
    """The whole match; then, where + or ( says where a number begins, less and less of what stands behind it."""
    yield match.span()
    start = max(match[0].find("+"), match[0].find("("))
    if start < 0:
        return
    ends = [each.end() for each in GROUP.finditer(match[0]) if each.start() >= start]
    for end in reversed(ends[-1 - MOST_BESIDE :]):
        yield match.start() + start, match.start() + end


def _cards(text: str) -> Iterator[Span]:
    for match in CARD.finditer(text):
        if is_card(match[0]):
            yield match.span()
            continue
        for part in CARD_SHAPE.finditer(text, match.start(), match.end()):  # other numbers stand beside it
            if is_card(part[0]):
                yield part.span()


def _ibans(text: str) -> Iterator[Span]:
    for match in IBAN.finditer(text):
        if end := iban_end(text[match.start() : match.start() + 50]):
            yield match.start(), match.start() + end


def _ssns(text: str) -> Iterator[Span]:
    return (match.span() for match in SSN.finditer(text))


def _national_ids(text: str) -> Iterator[Span]:
    yield from (match.span() for match in NATIONAL.finditer(text) if is_national_id(match[0]))
    yield from (match.span() for match in NINO.finditer(text))


def _addresses(text: str) -> Iterator[Span]:
    if "." in text:
        yield from (match.span() for match in IPV4.finditer(text) if not match[0].startswith(NOBODYS))
    if text.count(":") > 1:
        yield from (match.span() for match in IPV6.finditer(text) if _is_ipv6(match[0]))


def _is_ipv6(text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and len(text) > 5


def _birthdays(text: str) -> Iterator[Span]:
    return (match.span("date") for match in BIRTHDAY.finditer(text))


def _url_secrets(text: str) -> Iterator[Span]:
    return (match.span("value") for match in URL_SECRET.finditer(text)) if "=" in text else iter(())


DETECTORS: dict[str, Detector] = {
    each.name: each
    for each in (
        Detector("email", "E-mail addresses", "maria.lopez@example.com", "Also written with %40.", _emails, False),
        Detector(
            "phone",
            "Phone numbers",
            "+49 30 901820",
            "Of every country with its code; without one as written in ten countries. Checked by libphonenumber.",
            _phones,
        ),
        Detector("card", "Payment cards", "4111 1111 1111 1111", "Checked by first digits, length and Luhn.", _cards),
        Detector("iban", "Bank accounts (IBAN)", "DE89 3704 0044 0532 0130 00", "Checked by its check digits.", _ibans),
        Detector("ssn", "US social security numbers", "536-90-4399", "Written with dashes or spaces.", _ssns),
        Detector(
            "national_id",
            "Other national ids",
            "12345678Z",
            "Spain, Italy, France and Brazil by check digit; United Kingdom by form.",
            _national_ids,
        ),
        Detector("ip", "IP addresses", "203.0.113.7", "Version 4 and 6; not 127.0.0.1.", _addresses),
        Detector("birthday", "Dates of birth", "born on 1984-03-12", "Where a word before it says so.", _birthdays),
        Detector(
            "url_secret",
            "Tokens in web addresses",
            "https://example.com/reset?token=8f2c",
            "Values of token, key, password and the like.",
            _url_secrets,
            False,
        ),
    )
}
"""In the order they are shown."""
