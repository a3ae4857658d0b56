"""What is served: a model's files, checked, in a form that the chosen target can load."""

from studio.deploy.artifact.architectures import ARCHITECTURES, support
from studio.deploy.artifact.export import export, findings
from studio.deploy.artifact.forms import Choice, Forms, adapter_of, chosen_form, forms
from studio.deploy.artifact.preflight import Facts, Problem, preflight, preflight_model
from studio.deploy.artifact.quantised import quantise_options

__all__ = [
    "ARCHITECTURES",
    "Choice",
    "Facts",
    "Forms",
    "Problem",
    "adapter_of",
    "chosen_form",
    "export",
    "findings",
    "forms",
    "preflight",
    "preflight_model",
    "quantise_options",
    "support",
]
