"""Tokens become text: what the tokenizer is asked, and how an answer is spelled token by token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from studio.deploy.server.errors import invalid, template_error
from studio.deploy.server.pick import Pick
from studio.deploy.server.sampling import Sampling
from studio.deploy.server.text import TextBuilder

LONG_TEXT = 20_000


class Top(NamedTuple):
    """One of the likeliest tokens at a place."""

    id: int
    text: str
    logprob: float
    special: bool


class Token(NamedTuple):
    """One generated token. The last one has `finish`: length, eos_token or stop_sequence."""

    id: int
    text: str
    logprob: float
    """The model's own, before temperature, penalties and cut-offs; 0 if the request did not ask for it."""
    special: bool
    number: int
    """1 for the first."""
    whole: str
    """All text so far, special tokens left out."""
    finish: str | None
    top: tuple[Top, ...] = ()


class Text:
    """The model's tokenizer and chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.specials = frozenset(tokenizer.all_special_ids)
        self.decode = _decoder(tokenizer, skip=True)
        self.decode_special = _decoder(tokenizer, skip=False)

    async def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The text's token ids. A long text is taken apart beside the event loop: others' streams go on."""
        if len(text) > LONG_TEXT:
            return await asyncio.to_thread(self.ids, text, add_special_tokens)
        return self.ids(text, add_special_tokens)

    def ids(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The text's token ids, at once."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"]
        return ids

    def spans(self, text: str, add_special_tokens: bool = True) -> list[dict[str, Any]]:
        """The text's tokens with their places in it."""
        found = self.tokenizer(text, add_special_tokens=add_special_tokens, return_offsets_mapping=True)
        pairs = zip(found["input_ids"], found["offset_mapping"], strict=True)
        return [{"id": token, "text": text[start:stop], "start": start, "stop": stop} for token, (start, stop) in pairs]

    def render(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None) -> str:
        """The conversation through the model's chat template, ready for its answer."""
        if not messages:
            raise invalid("`messages` cannot be empty")
        if not self.tokenizer.chat_template:
            raise template_error("template not found")
        try:
            # As in training: a model that may think aloud was taught to answer at once.
            text: str = self.tokenizer.apply_chat_template(
                messages, tools=tools, add_generation_prompt=True, tokenize=False, enable_thinking=False
            )
        except Exception as error:  # a template is a program of the model's author: it may raise anything
            raise template_error(str(error)) from error
        return text

    def speller(self, sampling: Sampling, ends: list[int], limit: int) -> Speller:
        """For one answer."""
        return Speller(self, sampling, frozenset(ends), limit)


class Speller:
    """Reads a request's picks as they come."""

    def __init__(self, text: Text, sampling: Sampling, ends: frozenset[int], limit: int) -> None:
        self._text, self._sampling, self._ends, self._limit = text, sampling, ends, limit
        self._builder = TextBuilder(text.decode)
        self._longest_stop = max(map(len, sampling.stop), default=0)
        self._read = 0

    def read(self, pick: Pick) -> list[Token]:
        """The tokens picked since the last call; none after the one that ends the answer."""
        tokens: list[Token] = []
        for token in pick.tokens[self._read :]:
            tokens.append(self._spell(pick, token))
            if tokens[-1].finish:
                break
        return tokens

    def _spell(self, pick: Pick, token: int) -> Token:
        place = self._read
        self._read += 1
        last = token in self._ends or self._read >= self._limit
        piece = self._builder.add(token, last)
        text = self._builder.text
        finish = "eos_token" if token in self._ends else self._stopped(text, piece) or ("length" if last else None)
        logprob = pick.logprobs[place] if self._sampling.logprobs else 0.0
        top = self._tops(pick, place) if self._sampling.top else ()
        return Token(token, piece, logprob, token in self._text.specials, self._read, text, finish, top)

    def _stopped(self, text: str, piece: str) -> str | None:
        """Only the end of the text can hold a stop string that was not there before."""
        if not self._longest_stop:
            return None
        end = text[-(self._longest_stop + len(piece)) :]
        return "stop_sequence" if any(stop in end for stop in self._sampling.stop) else None

    def _tops(self, pick: Pick, place: int) -> tuple[Top, ...]:
        specials = self._text.specials
        return tuple(
            Top(token, self._text.decode_special([token]), logprob, token in specials)
            for token, logprob in pick.tops[place]
        )


def _decoder(tokenizer: Any, skip: bool) -> Callable[[list[int]], str]:
    """Decoding by the tokenizer's own core where that is all the tokenizer would do: ten times faster."""
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None or tokenizer.clean_up_tokenization_spaces or not _plain(tokenizer):
        return lambda ids: str(tokenizer.decode(ids, skip_special_tokens=skip))
    return lambda ids: str(core.decode(ids, skip_special_tokens=skip))


def _plain(tokenizer: Any) -> bool:
    from transformers import PreTrainedTokenizerFast

    return getattr(type(tokenizer), "_decode", None) is PreTrainedTokenizerFast._decode
