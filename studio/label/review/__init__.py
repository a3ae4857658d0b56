"""Review sessions: an agenda chosen by value, blind votes, decisions with a name on them, minutes."""
