"""Signatures as AWS's own library makes them; `signatures.json` was written by botocore at a fixed time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from studio.errors import InvalidInput
from studio.train.hosted import hosted_trainer
from studio.train.hosted.sigv4 import STAMP, AwsSigner, Credentials
from tests.fakes.hosted_bedrock import ACCESS, SECRET

RECORDED = json.loads((Path(__file__).parent / "signatures.json").read_text())
AT = datetime.strptime(RECORDED["at"], STAMP).replace(tzinfo=UTC)


def test_a_temporary_key_brings_its_token_and_a_half_key_is_refused() -> None:
    found = [
        vars(hosted_trainer("bedrock", "", f"{ACCESS}:{SECRET}{token}", {}))["credentials"]
        for token in (":a+b/c==", "")
    ]
    assert found == [Credentials(ACCESS, SECRET, "a+b/c=="), Credentials(ACCESS, SECRET, "")]
    with pytest.raises(InvalidInput, match="ID:SECRET:TOKEN"):
        hosted_trainer("bedrock", "", SECRET, {})


@pytest.mark.parametrize("recorded", RECORDED["requests"], ids=lambda each: f"{each['method']} {each['service']}")
def test_a_request_is_signed_as_botocore_signs_it(recorded: dict[str, Any]) -> None:
    credentials = Credentials(ACCESS, SECRET, recorded["token"])
    request = httpx.Request(recorded["method"], recorded["url"], headers=recorded["headers"], content=recorded["body"])
    AwsSigner(credentials, "eu-west-1", recorded["service"], lambda: AT)(request)
    assert request.headers["authorization"] == recorded["authorization"]


def test_the_secret_is_in_no_repr() -> None:
    signer = AwsSigner(Credentials(ACCESS, SECRET, "a-token"), "eu-west-1", "s3")
    assert SECRET not in repr(signer)
    assert "a-token" not in repr(signer)
