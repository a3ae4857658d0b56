"""Enrichment: what is found out about calls after they are written: language, likeness, prompt template."""
