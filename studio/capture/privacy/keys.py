"""Keys and passwords by their form: what providers, code hosts and clouds hand out, JWTs, PEM keys, URL logins."""

from __future__ import annotations

import re
from collections.abc import Iterator

WORD = "A-Za-z0-9_-"
FORMS = (
    rf"wk-(?=[_-]{{0,42}}[A-Za-z0-9])[{WORD}]{{40,}}",
    rf"(?:wk|sk|pk|rk)-[A-Za-z0-9][{WORD}]{{18,}}",
    rf"(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{{16,}}[{WORD}]*",
    r"xox[a-z]-[A-Za-z0-9-]{11,}",
    rf"(?:xapp|glpat|nvapi|pplx|xai|pypi|GOCSPX)-[{WORD}]{{16,}}",
    rf"gh[a-z]_[A-Za-z0-9]{{18,}}[{WORD}]*",
    rf"(?:github_pat|dckr_pat)[_-][{WORD}]{{18,}}",
    rf"(?:hf|gsk|r8|npm|dop_v1|shpat|shpss|lin_api|sntrys|figd)_[A-Za-z0-9]{{18,}}[{WORD}]*",
    rf"AIza[A-Za-z0-9][{WORD}]{{18,}}",
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    rf"ya29\.[{WORD}]{{20,}}",
    rf"SG\.[{WORD}]{{16,}}\.[{WORD}]{{16,}}",
    rf"eyJ[{WORD}]{{13,}}\.[{WORD}]{{4,}}(?:\.[{WORD}]*){{1,3}}",
)
BEARER = r"[Bb]earer (?P<bearer>[A-Za-z0-9._~+/-]{16,}=*)"
BASIC = r"[Aa]uthorization[\"'\s:=]{1,6}[Bb]asic (?P<basic>[A-Za-z0-9+/]{8,}=*)"
AWS = r"(?i:secret_?access_?key)[\"'\s:=]{1,6}(?P<aws>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])"
PEM = (
    r"-----BEGIN (?P<pem>[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----END )[\s\S])*+(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?)"
)
LOGIN = r"://[^\s/:@\"'<>\[\]]{0,200}:(?P<login>(?!\[redacted:)[^\s/\"'<>?#]{1,300})@"
PATTERN = re.compile(rf"(?<![A-Za-z0-9])(?P<token>{'|'.join(FORMS)})|{BEARER}|{BASIC}|{AWS}|{PEM}|{LOGIN}", re.ASCII)

RUN = 16
LOOK_BACK = 5
"""A run of this many letters, digits, _ and - is in every key; what its key is called may stand just before it."""
TABLE = bytes(97 if chr(code).isalnum() or chr(code) in "_-" else 32 for code in range(128)) + b" " * 128
STARTS = re.compile(
    rb"(?:wk|sk|pk|rk)-|(?:sk|pk|rk|whsec|hf|gsk|r8|npm|dop_v1|shpat|shpss|lin_api|sntrys|figd|gh[a-z]|_pat)_"
    rb"|xox[a-z]-|(?:xapp|glpat|nvapi|pplx|xai|pypi|GOCSPX|_pat)-|AIza|A[KSBC][ICA]A|ya29\.|SG\.|eyJ"
    rb"|(?i:secret_?access_?key)"
)
DATA = b"base64,"
PAYLOAD = re.compile(rb"[A-Za-z0-9+/]{16,}+={0,2}+(?![\w@.-])")
"""The bytes of a picture or file; no text, and no key is looked for inside."""


def suspicious(body: bytes) -> bool:
    """Whether a key may be in the text or JSON; False is certain. Meant for every body: about 3 ns a byte."""
    if b"earer " in body or b"PRIVATE KEY" in body or (b"\\" in body and (b"\\u00" in body or b"\\/" in body)):
        return True
    if (b"@" in body and b"://" in body) or b"Basic " in body:
        return True
    return any(STARTS.search(run) for run in _runs(body))


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where the keys lie in a text."""
    for match in PATTERN.finditer(text):
        yield match.span(group_of(match))


def group_of(match: re.Match[str]) -> str:
    """Which part of the match is the secret."""
    return match.lastgroup or "token"


def _runs(body: bytes) -> Iterator[bytes]:
    shape = body.translate(TABLE)
    start = shape.find(b"a" * RUN)
    while start >= 0:
        if body[start - len(DATA) : start] == DATA and (payload := PAYLOAD.match(body, start)):
            end = payload.end()
        else:
            end = shape.find(b" ", start + RUN)
            yield body[max(start - LOOK_BACK, 0) : end if end >= 0 else None]
        start = shape.find(b"a" * RUN, end) if end >= 0 else -1
