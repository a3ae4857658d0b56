"""Capture: record every call, take in files and feedback, explore the logs."""
