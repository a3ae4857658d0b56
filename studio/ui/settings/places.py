"""Settings, Compute and Serving: the places besides this machine where models are trained, and where they answer."""

from __future__ import annotations

from collections.abc import Callable

from studio.access.actor import Actor
from studio.ui.formats import money
from studio.ui.settings.place_form import AnyPlace, Form
from studio.ui.settings.place_rows import Tab, place_tab
from studio.ui.state import current_studio

TRAINING = Form("place", "Place to train", lambda studio: studio.places, priced=True)
SERVING = Form("serving", "Place to serve", lambda studio: studio.serving_places)


def places_tab(actor: Actor) -> None:
    """Where runs may happen."""
    caption = "Runs happen on this machine unless Train is told another place. Keys are encrypted."
    hint = "Add a Ray cluster, Hugging Face Jobs or a company that trains, and Train offers it."
    place_tab(Tab(TRAINING, caption, ("This machine only", hint), _about(TRAINING)), actor)


def serving_tab(actor: Actor) -> None:
    """Where revisions may be served."""
    caption = "Models answer from this machine unless Deploy is told another place. Keys are encrypted."
    hint = "Add a container engine, a vLLM or TGI that runs already, or Inference Endpoints, and Deploy offers it."
    place_tab(Tab(SERVING, caption, ("This machine only", hint), _about(SERVING)), actor)


def _about(form: Form) -> Callable[[AnyPlace], str]:
    """What it is, where, and what it costs."""
    labels = {kind.name: kind.label for kind in form.service(current_studio()).kinds()}

    def about(place: AnyPlace) -> str:
        price = getattr(place, "price_per_hour", 0.0)
        parts = (labels.get(place.kind, place.kind), place.url, f"{money(price)} an hour" if price else "")
        return " · ".join(part for part in parts if part)

    return about
