"""The sample project: seeded tickets, today's noisy model, one unattended turn of the loop."""
