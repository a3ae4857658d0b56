"""Seeded support tickets and their true triage, from templates: the sample project's world. Standard library only.

A ticket is greeting + issue + mood + urgency + sign-off. The truth follows from its parts, so `truth(text)` can read it
back from any ticket made here; that is what "today's model" starts from before it errs, and what the unattended demo's
teammates answer.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TypedDict

SYSTEM = "Triage the ticket as JSON."
PRIORITIES = ("low", "normal", "high", "urgent")


class Triage(TypedDict):
    """The strict JSON the feature answers with."""

    category: str
    priority: str
    sentiment: str
    needs_human: bool


@dataclass(frozen=True)
class Issue:
    """A kind of ticket: its category, its usual priority (index into PRIORITIES) and how people put it."""

    category: str
    priority: int
    phrases: tuple[str, ...]


NAMES = [
    "Ana",
    "Ben",
    "Chloe",
    "David",
    "Elif",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Kira",
    "Liam",
    "Mona",
    "Nils",
    "Olga",
    "Pablo",
    "Quinn",
    "Rosa",
    "Sami",
    "Tara",
    "Umar",
    "Vera",
    "Wendy",
    "Yann",
    "Zoe",
]
PRODUCTS = (
    "espresso machine",
    "desk lamp",
    "wireless headset",
    "standing desk",
    "travel mug",
    "air purifier",
    "mechanical keyboard",
    "yoga mat",
    "rain jacket",
    "bike helmet",
    "portable charger",
    "office chair",
)
ISSUES = (
    Issue(
        "billing",
        2,
        (
            "I was charged twice for {order}",
            "my card shows two payments for {order}",
            "there is a duplicate charge for the {product} on my statement",
            "you billed me two times for the {product}",
        ),
    ),
    Issue(
        "billing",
        0,
        (
            "could you send me the invoice for {order}",
            "I need a receipt for {order}",
            "please email me a tax invoice for {order}",
            "where can I download the invoice of {order}",
        ),
    ),
    Issue(
        "shipping",
        1,
        (
            "{order} still has not arrived",
            "I am still waiting for the {product}",
            "the parcel with the {product} is late",
            "tracking for {order} has not moved in days",
        ),
    ),
    Issue(
        "shipping",
        1,
        (
            "please change the delivery address for {order}",
            "I moved, can {order} go to my new address",
            "the shipping address on {order} is wrong",
            "can you redirect {order} to another address",
        ),
    ),
    Issue(
        "returns",
        1,
        (
            "the {product} from {order} arrived broken",
            "the {product} I got with {order} is damaged",
            "{order} came with a cracked {product}",
            "the {product} in {order} does not turn on",
        ),
    ),
    Issue(
        "returns",
        0,
        (
            "I want to return the {product} from {order}",
            "how do I send back the {product} from {order}",
            "I would like a refund for the {product} in {order}",
            "can I exchange the {product} from {order} for another size",
        ),
    ),
    Issue(
        "account",
        1,
        (
            "I cannot log in to see {order}",
            "my password reset link for {order} does not work",
            "I am locked out of my account and need {order}",
            "the login page rejects me so I cannot open {order}",
        ),
    ),
    Issue(
        "account",
        0,
        (
            "please delete my account after {order}",
            "close my account once {order} is done",
            "I want my personal data erased, last order was {order}",
            "how do I remove my profile, {order} was my last order",
        ),
    ),
    Issue(
        "technical",
        1,
        (
            "the app crashes when I open {order}",
            "your website shows an error on {order}",
            "the checkout page froze while paying {order}",
            "the app keeps freezing on the page of {order}",
        ),
    ),
    Issue(
        "account",
        3,
        (
            "someone placed {order} from my account without my permission",
            "I did not make {order}, I think I was hacked",
            "{order} is fraud, a stranger used my account",
            "an unknown person logged in and bought {order}",
        ),
    ),
)
ORDERS = ("my order", "my last order", "my purchase", "order {number}")
URGENCY = {
    "": 0,
    "No rush.": 0,
    "Whenever you have time.": -1,
    "Please hurry.": 1,
    "I need this solved today.": 1,
    "This is urgent.": 1,
    "Let me know.": 0,
}
MOODS = {
    "This is unacceptable.": "negative",
    "I am really disappointed.": "negative",
    "Worst shop ever.": "negative",
    "I am very angry about this.": "negative",
    "": "neutral",
    "Just asking.": "neutral",
    "I have a question.": "neutral",
    "I love your shop.": "positive",
    "Great service so far.": "positive",
    "You have been very helpful before.": "positive",
}
GREETINGS = ("Hi,", "Hello,", "Hey there,", "Good morning,", "Dear support,", "Hi team,", "")
FAREWELLS = ("Thanks, {name}", "Regards, {name}", "{name}", "Best, {name}", "Cheers, {name}", "")


@dataclass(frozen=True)
class Ticket:
    """A ticket and its true triage."""

    text: str
    name: str
    triage: Triage


def tickets(count: int, seed: int) -> list[Ticket]:
    """`count` different tickets; the same seed gives the same tickets."""
    source = random.Random(seed)
    found: dict[str, Ticket] = {}
    while len(found) < count:
        ticket = write_ticket(source)
        found.setdefault(ticket.text, ticket)
    return list(found.values())


def write_ticket(source: random.Random) -> Ticket:
    """One ticket drawn from the templates."""
    issue = source.choice(ISSUES)
    order = source.choice(ORDERS).format(number=source.randrange(1000, 9999))
    sentence = source.choice(issue.phrases).format(order=order, product=source.choice(PRODUCTS))
    mood, urgency = source.choice(list(MOODS)), source.choice(list(URGENCY))
    greeting, farewell, name = source.choice(GREETINGS), source.choice(FAREWELLS), source.choice(NAMES)
    if not greeting:
        sentence = sentence[0].upper() + sentence[1:]
    body = [f"{sentence}.", mood, urgency] if source.random() < 0.6 else [mood, f"{sentence}.", urgency]
    text = " ".join(part for part in (greeting, *body, farewell.format(name=name)) if part)
    return Ticket(text, name if farewell else "there", _triage(issue, mood, urgency))


def truth(text: str) -> Triage:
    """The true triage of a ticket made by `write_ticket`; a careful guess for any other text."""
    lowered = text.lower()
    issue = max(ISSUES, key=lambda each: max(_overlap(phrase, lowered) for phrase in each.phrases))
    mood = next((phrase for phrase in MOODS if phrase and phrase in text), "")
    urgency = next((phrase for phrase in URGENCY if phrase and phrase in text), "")
    return _triage(issue, mood, urgency)


def as_json(triage: Triage) -> str:
    """The answer as the feature expects it."""
    return json.dumps(triage)


def prompt(text: str) -> list[dict[str, str]]:
    """The messages the feature sends."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def _triage(issue: Issue, mood: str, urgency: str) -> Triage:
    priority = PRIORITIES[max(0, min(3, issue.priority + URGENCY[urgency]))]
    sentiment = MOODS[mood]
    needs_human = priority == "urgent" or (sentiment == "negative" and issue.category in ("billing", "returns"))
    return Triage(category=issue.category, priority=priority, sentiment=sentiment, needs_human=needs_human)


def _overlap(phrase: str, lowered: str) -> float:
    """Share of the phrase's fixed fragments that occur in the text, longest fragments weighing most."""
    fragments = [part.strip(" ,").lower() for part in phrase.replace("{product}", "{order}").split("{order}")]
    fragments = [part for part in fragments if len(part) > 2]
    whole = sum(len(part) for part in fragments)
    return sum(len(part) for part in fragments if part in lowered) / whole + whole / 1000
