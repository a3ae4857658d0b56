"""Whetstone: capture, curate, label, train, evaluate, deploy, improve, in one loop on one machine."""

__version__ = "0.5.0"
