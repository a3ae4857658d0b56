"""Who may do what: people, roles, sign-ins, API keys, providers and their secrets."""
