"""Text that the sample's tiny base model reads before any fine-tuning: tickets, replies, notes, other chats.

Never the triage prompt nor the triage schema: the base knows the language of the shop but not the task. A part is in
chat markup, because LoRA cannot train markup embeddings that pre-training never touched.
"""

from __future__ import annotations

import json
import random

from studio.demo.tickets import Ticket, write_ticket

REPLIES = {
    "billing": "Sorry about that, {name}. We have checked the payment and will fix it within two days.",
    "shipping": "Thanks for writing, {name}. We are checking the delivery and will update you today.",
    "returns": "Sorry for the trouble, {name}. A free return label is on its way to you.",
    "account": "Thanks for telling us, {name}. We have secured your account and will confirm soon.",
    "technical": "Sorry for the glitch, {name}. Our team is fixing the page and your data is safe.",
}
NOTES = (
    "Note: this {sentiment} message is about {category} and has {priority} priority.",
    "Summary: {category} question. The tone is {sentiment}. The priority is {priority}.",
    "This needs {category} help with {priority} priority, the customer sounds {sentiment}.",
)


def documents(count: int = 6000, seed: int = 11) -> list[str]:
    """`count` pre-training documents; the same seed gives the same text."""
    source = random.Random(seed)
    return [_document(source) for _ in range(count)]


def _document(source: random.Random) -> str:
    ticket = write_ticket(source)
    if source.random() < 0.45:
        return _chat(*source.choice(_conversations(ticket, source)))
    kind = source.random()
    if kind < 0.25:
        return ticket.text
    return f"{ticket.text}\n{_reply(ticket) if kind < 0.55 else _note(ticket, source)}"


def _conversations(ticket: Ticket, source: random.Random) -> list[tuple[str, str, str]]:
    triage = ticket.triage
    tone = f"The tone is {triage['sentiment']}. The priority is {triage['priority']}."
    person = "true" if triage["needs_human"] else "false"
    topic = json.dumps({source.choice(["topic", "category"]): triage["category"], "escalate": triage["needs_human"]})
    mood = json.dumps({source.choice(["mood", "sentiment"]): triage["sentiment"], "rank": triage["priority"]})
    return [
        ("Reply to the ticket.", ticket.text, _reply(ticket)),
        ("Summarize the ticket.", ticket.text, tone),
        ("Must a person answer?", ticket.text, person),
        ("Answer as JSON.", ticket.text, topic),
        ("Answer as JSON.", ticket.text, mood),
        ("", ticket.text, _reply(ticket)),
    ]


def _chat(system: str, user: str, answer: str) -> str:
    turns = (("system", system), ("user", user), ("assistant", answer))
    return "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)


def _reply(ticket: Ticket) -> str:
    return REPLIES[ticket.triage["category"]].format(name=ticket.name)


def _note(ticket: Ticket, source: random.Random) -> str:
    return source.choice(NOTES).format(**ticket.triage)
