"""The language of a prompt, as an ISO 639-1 code, by py3langid's model (Lui and Baldwin, "langid.py", ACL 2012)."""

from __future__ import annotations

from functools import cache
from typing import Any

READ = 1_000
FEWEST_LETTERS = 8
SURE = 0.7
NO_LANGUAGE = "zxx"


def language_of(text: str) -> str:
    """The code, or nothing where the text is too short, is no language (code, numbers), or could be several."""
    text = text[:READ]
    if sum(2 if ord(character) > 0x2E80 else 1 for character in text if character.isalpha()) < FEWEST_LETTERS:
        return ""
    code, share = _identifier().classify(text)
    return code if share >= SURE and code != NO_LANGUAGE else ""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
