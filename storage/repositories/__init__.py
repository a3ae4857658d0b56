"""One repository per noun: named queries over a session. They flush and never commit."""
