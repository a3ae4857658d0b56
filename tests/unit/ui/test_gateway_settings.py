"""Settings of the gateway: keys with scopes and limits, providers with prices of caches, a name over several models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import ApiKey, Provider
from storage.types import now
from studio.access.actor import Actor, Role
from studio.access.keys import Allowed
from studio.bootstrap import Studio
from studio.deploy.splitting import ProviderShare
from studio.errors import InvalidInput
from studio.ui.settings.key_form import may
from studio.ui.settings.provider_form import model_table, models_and_prices
from studio.ui.settings.split_form import MODEL, SHARE, shares_of
from tests.unit.ui.conftest import texts

OPERATOR = Actor.operator()


def a_key(**facts: Any) -> ApiKey:
    return ApiKey(id="k", project_id="p", name="k", prefix="wk-", key_hash="k", **facts)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "may all but read"),
        ({"scopes": ["read", "infer"]}, "may infer, read"),
        ({"calls_per_minute": 60, "tokens_per_minute": 9000}, "60 calls a minute, 9,000 tokens a minute"),
        ({"expires_at": now() - timedelta(days=1)}, "expired"),
    ],
)
def test_what_a_key_may_do_is_said_in_words(facts: Any, said: str) -> None:
    assert said in may(a_key(**facts))


def test_prices_of_caches_are_kept_where_they_are_named() -> None:
    prices = {"a": {"prompt": 1.0, "completion": 2.0, "cached": 0.1, "cache_write": 1.25}, "b": {"prompt": 1.0}}
    provider = Provider(project_id="p", name="x", base_url="http://x", models=["a", "b", "c"], prices=prices)
    assert models_and_prices(model_table(provider)) == (["a", "b", "c"], prices)


def test_rows_of_a_split_are_shares_and_empty_ones_are_left_out() -> None:
    table = pd.DataFrame([("openai/gpt", 100.0), (" claude/opus ", None), (None, 5.0)], columns=[MODEL, SHARE])
    assert shares_of(table) == [ProviderShare("openai", "gpt", 100), ProviderShare("claude", "opus", 0)]
    with pytest.raises(InvalidInput):
        shares_of(pd.DataFrame([("gpt", 100.0)], columns=[MODEL, SHARE]))


def test_keys_and_providers_are_listed_with_what_is_special_about_them(
    studio: Studio, browser_of: Callable[[Role], Any]
) -> None:
    project = studio.projects.create(OPERATOR, "support")
    studio.keys.create(OPERATOR, project.id, "checkout", Allowed(("infer",), None, 60))
    studio.providers.save(OPERATOR, project.id, "claude", "http://up/v1", models=["opus"], kind="anthropic")
    browser = browser_of(Role.ADMIN)
    assert "60 calls a minute" in texts(browser.open("settings", tab="API keys"))
    app = browser.open("settings", tab="Providers")
    assert not app.exception and "speaks like Anthropic" in texts(app)


def test_a_key_is_changed_in_its_dialog(studio: Studio, browser_of: Callable[[Role], Any]) -> None:
    project = studio.projects.create(OPERATOR, "support")
    studio.keys.create(OPERATOR, project.id, "checkout", Allowed(("infer",), None, 60))
    browser_of(Role.ADMIN)
    app = dialog("keys", f"change_dialog(current_studio().keys.all({project.id!r})[0])")
    app.number_input(key="key_calls").set_value(90)
    app.button[-1].click().run()
    (changed,) = studio.keys.all(project.id)
    assert not app.exception and (changed.calls_per_minute, changed.scopes) == (90, ["infer"])


def test_a_new_key_gets_what_was_filled_in(studio: Studio, browser_of: Callable[[Role], Any]) -> None:
    project = studio.projects.create(OPERATOR, "support")
    browser_of(Role.ADMIN)
    app = dialog("keys", f"key_dialog(current_studio().projects.get({project.id!r}))")
    app.text_input[0].input("checkout")
    app.multiselect(key="key_scopes").set_value(["report"])
    app.selectbox(key="key_days").set_value(30)
    app.button[-1].click().run()
    (made,) = studio.keys.all(project.id)
    assert not app.exception and made.scopes == ["report"] and made.expires_at is not None


def test_a_name_is_split_over_models_in_its_dialog(studio: Studio, browser_of: Callable[[Role], Any]) -> None:
    project = studio.projects.create(OPERATOR, "support")
    studio.providers.save(OPERATOR, project.id, "claude", "http://up/v1", models=["opus"], kind="anthropic")
    browser_of(Role.ADMIN)
    called = f"current_studio().projects.get({project.id!r}), current_studio().providers.all({project.id!r})"
    app = dialog("split_form", f"split_dialog({called})")
    app.text_input(key="split_alias").input("triage")
    app.button[-1].click().run()
    found = studio.deployments.find(project.id, "triage")
    assert not app.exception and found is not None
    release = studio.deployments.current(found.id)
    assert release and [route["weight"] for route in release.routes] == [100]


def dialog(module: str, call: str) -> AppTest:
    """A dialog on a page of its own: AppTest closes it at its first rerun."""
    lines = (f"from studio.ui.settings.{module} import *", "from studio.ui.state import current_studio", call)
    return AppTest.from_string("\n".join(lines), default_timeout=60).run()
