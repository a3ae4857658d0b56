"""What is served: a model's files, checked, in a form that the chosen target can load."""

from studio.deploy.artifact.export import export, findings

__all__ = ["export", "findings"]
