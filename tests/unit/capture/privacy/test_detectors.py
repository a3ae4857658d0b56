"""Each detector finds what it promises, and leaves what only looks like it."""

from __future__ import annotations

import pytest

from studio.capture.privacy import keys
from studio.capture.privacy.checked import iban_end, is_card, is_national_id, is_phone
from studio.capture.privacy.detectors import DETECTORS
from studio.capture.privacy.redactor import Redactor

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq\n-----END RSA PRIVATE KEY-----"
LETTERS = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v"


def found(name: str, text: str) -> list[str]:
    return [text[start:end] for start, end in DETECTORS[name].find(text)]


@pytest.mark.parametrize("name", list(DETECTORS))
def test_every_detector_finds_its_own_example(name: str) -> None:
    example = DETECTORS[name].example
    assert found(name, f"It is {example}, thanks.")


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("email", "write to <Jörg.Müller+x@mail.firma.co.uk>.", ["Jörg.Müller+x@mail.firma.co.uk"]),
        ("email", "https://a.com/?to=john%40acme.com&x=1", ["john%40acme.com"]),
        ("phone", "call (415) 555-2671 now", ["(415) 555-2671"]),
        ("phone", "+1-212-555-0123 or 0049 30 901820", ["+1-212-555-0123", "0049 30 901820"]),
        ("phone", "my phone is 4155552671", ["4155552671"]),
        ("phone", "Tel. 030 901820", ["030 901820"]),
        ("card", "4111-1111-1111-1111 and 378282246310005", ["4111-1111-1111-1111", "378282246310005"]),
        ("card", "55 x 1234 4111 1111 1111 1111 2023-7", ["4111 1111 1111 1111"]),
        ("phone", "order 1234 (415) 555-2671 55, +49 30 901820", ["(415) 555-2671", "+49 30 901820"]),
        ("iban", "de89370400440532013000 AND MORE", ["de89370400440532013000"]),
        ("iban", "GB29 NWBK 6016 1331 9268 19.", ["GB29 NWBK 6016 1331 9268 19"]),
        ("ssn", "ssn 536-90-4399", ["536-90-4399"]),
        ("national_id", "CPF 529.982.247-25, NIE X1234567L", ["529.982.247-25", "X1234567L"]),
        ("national_id", "RSSMRA85T10A562S and AB 12 34 56 C", ["RSSMRA85T10A562S", "AB 12 34 56 C"]),
        ("national_id", "NIR 2 55 08 14 168 025 38", ["2 55 08 14 168 025 38"]),
        ("ip", "from 203.0.113.7 and 2001:db8::8a2e:370:7334", ["203.0.113.7", "2001:db8::8a2e:370:7334"]),
        ("birthday", "geboren am 12.03.1984; DOB: 03/12/1984", ["12.03.1984", "03/12/1984"]),
        ("birthday", "born on March 12, 1984", ["March 12, 1984"]),
        ("url_secret", "https://x.io/a?b=1&access_token=abcd1234#c", ["abcd1234"]),
    ],
)
def test_what_is_found(name: str, text: str, wanted: list[str]) -> None:
    assert found(name, text) == wanted


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("email", "@everybody, pip install a@b and user@localhost, 5@ 2.50"),
        ("phone", "order 4155552671, on 2024-01-15 10:30, version 1.2.3, 12345-6789, 100 000 000"),
        ("phone", "from 2019-2023 and 10.0.0.1, id 550e8400-e29b-41d4-a716-446655440000"),
        ("card", "4111 1111 1111 1112, 1700000000000, 0000000000000000"),
        ("iban", "DE89370400440532013001 and GB00"),
        ("ssn", "000-12-3456, 666-12-3456, 123-45-67890"),
        ("national_id", "12345678A, 111.111.111-11"),
        ("ip", "127.0.0.1, 1.2.3, 300.1.1.1, 12:30:45, std::vector, ::1"),
        ("birthday", "on 12.03.1984 we met"),
        ("url_secret", "https://x.io/a?page=2"),
    ],
)
def test_what_is_left(name: str, text: str) -> None:
    assert found(name, text) == []


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-" + LETTERS,
        "sk-ant-api03-" + LETTERS,
        "sk_live_" + LETTERS,
        "rk_test_" + LETTERS,
        "wk-" + LETTERS,
        "xoxb-123456789012-" + LETTERS,
        "ghp_" + LETTERS + "12345678",
        "github_pat_" + LETTERS,
        "glpat-" + LETTERS,
        "hf_" + LETTERS,
        "gsk_" + LETTERS,
        "nvapi-" + LETTERS,
        "AIza" + LETTERS + "1234567",
        "AKIAIOSFODNN7EXAMPLE",
        "ya29." + LETTERS,
        "SG." + LETTERS + "." + LETTERS,
        JWT,
        PEM,
        "sk-" + "a1B2" * 100,
    ],
)
def test_keys_are_found_wherever_they_stand(secret: str) -> None:
    body = secret.split("\n")[1] if "\n" in secret else secret
    for text in (secret, f"key={secret}", f"x\n{secret}\ny", f"({secret})", f'"{secret}"', f"a_{secret}"):
        assert keys.suspicious(text.encode())
        assert body not in Redactor(b"k").clean(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Authorization: Bearer abcdefgh.ijklmnop", "abcdefgh.ijklmnop"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("postgres://app:s3cr@t@db.example.com/x", "s3cr@t"),
        ("redis://:hunter2@cache:6379", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
    ],
)
def test_logins_are_found(text: str, gone: str) -> None:
    cleaned = Redactor(b"k").clean(text.encode()).decode()
    assert gone not in cleaned and Redactor(b"k").clean(cleaned.encode()).decode() == cleaned


@pytest.mark.parametrize(
    "text", ["https://example.com:8080/a@b", "see http://a.io, mail me@b.io", "Basic plan, bearer of"]
)
def test_addresses_without_a_login_are_left(text: str) -> None:
    assert Redactor(b"k").clean(text.encode()) == text.encode()


def test_checks_know_right_from_wrong() -> None:
    assert is_card("5555555555554444") and not is_card("5555555555554445") and not is_card("9999999999999995")
    assert iban_end("FR1420041010050500013M02606") == 27 and iban_end("XX00") is None
    assert is_national_id("12345678Z") and not is_national_id("12345678Y") and not is_national_id("1")
    assert is_phone("+33 1 42 68 53 00") and not is_phone("123 45")
