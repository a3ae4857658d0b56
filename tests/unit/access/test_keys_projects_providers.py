"""API keys are hashed, provider keys sealed and bound to their origin, projects named once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from storage.database import Database
from storage.tables import Project
from studio.access.actor import Actor, Role
from studio.access.audit import AuditTrail
from studio.access.keys import ApiKeys
from studio.access.projects import Projects
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from studio.settings import Settings


@pytest.fixture
def keys(database: Database) -> ApiKeys:
    return ApiKeys(database)


@pytest.fixture
def providers(database: Database, settings: Settings) -> Providers:
    return Providers(database, SecretBox(settings.secrets))


class Upstream(BaseHTTPRequestHandler):
    """An OpenAI-like server that knows one key."""

    def do_GET(self) -> None:
        anthropics = self.headers.get("x-api-key") == "sk-ant" and bool(self.headers.get("anthropic-version"))
        known = anthropics or self.headers.get("Authorization") == "Bearer sk-right"
        body = b'{"data":[{"id":"gpt-small"}]}' if self.path == "/v1/models" else b"<html>"
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_key_is_found_by_its_secret_until_it_is_revoked(keys: ApiKeys, project: Project, operator: Actor) -> None:
    key, secret = keys.create(operator, project.id, "checkout service")
    found = keys.resolve(secret)
    assert found and found.id == key.id and found.project_id == project.id
    keys.revoke(operator, key.id)
    keys.revoke(operator, key.id)
    assert keys.resolve(secret) is None
    assert keys.all(project.id)[0].revoked_at is not None


def test_only_the_hash_and_a_short_prefix_of_a_key_are_kept(
    keys: ApiKeys, project: Project, operator: Actor, database: Database
) -> None:
    key, secret = keys.create(operator, project.id, "checkout service")
    assert secret.startswith("wk-") and len(secret) >= 46 and secret.startswith(key.prefix)
    raw = "\n".join(line for line in database.engine.raw_connection().iterdump())  # type: ignore[attr-defined]
    assert key.key_hash in raw and secret not in raw and secret[12:] not in raw


@pytest.mark.parametrize("secret", ["", "wk-", "sk-1", "wk-x' or 1=1 --", "wk-" + "a" * 43])
def test_a_wrong_key_is_nobodys(keys: ApiKeys, project: Project, operator: Actor, secret: str) -> None:
    keys.create(operator, project.id, "checkout service")
    assert keys.resolve(secret) is None


def test_keys_are_marked_used_in_bulk(keys: ApiKeys, project: Project, operator: Actor) -> None:
    made = [keys.create(operator, project.id, name)[0].id for name in ("a", "b", "c")]
    keys.mark_used(made[:2])
    assert [key.last_used_at is not None for key in keys.all(project.id)] == [True, True, False]


def test_a_key_needs_a_name_and_a_project(keys: ApiKeys, project: Project, operator: Actor) -> None:
    with pytest.raises(InvalidInput):
        keys.create(operator, project.id, "  ")
    with pytest.raises(NotFound):
        keys.create(operator, "gone", "checkout")
    with pytest.raises(NotFound):
        keys.revoke(operator, "gone")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.LABELER])
def test_editors_make_projects_keys_and_providers_others_do_not(
    keys: ApiKeys, providers: Providers, project: Project, sign_in: Callable[[Role], Actor], role: Role
) -> None:
    editor, other = sign_in(Role.EDITOR), sign_in(role)
    projects = Projects(keys.database)
    key, _ = keys.create(editor, project.id, "checkout")
    provider = providers.save(editor, project.id, "openai", "https://api.example.com/v1")
    for verb in (
        lambda: projects.create(other, "mine"),
        lambda: projects.update(other, project.id, "mine"),
        lambda: keys.create(other, project.id, "mine"),
        lambda: keys.revoke(other, key.id),
        lambda: providers.save(other, project.id, "openai", "https://evil.example.com"),
        lambda: providers.test(other, provider.id),
    ):
        with pytest.raises(NotAllowed):
            verb()


def test_projects_are_found_by_name_and_named_once(database: Database, operator: Actor) -> None:
    projects = Projects(database)
    made = projects.create(operator, " support ", "tickets")
    assert made.name == "support" and projects.get(made.id) == made
    assert projects.find("support") == made and projects.find("other") is None
    with pytest.raises(Conflict, match="already a project named support"):
        projects.create(operator, "support")
    with pytest.raises(InvalidInput):
        projects.create(operator, "  ")
    other = projects.create(operator, "billing")
    with pytest.raises(Conflict):
        projects.update(operator, other.id, "support")
    assert projects.update(operator, other.id, "invoices").name == "invoices"
    with pytest.raises(NotFound):
        projects.get("gone")


def test_a_provider_key_is_sealed_and_never_listed(
    providers: Providers, project: Project, operator: Actor, database: Database
) -> None:
    providers.save(operator, project.id, "openai", "https://api.example.com/v1/", "sk-right", ["gpt-small"])
    (listed,) = providers.all(project.id)
    assert listed.encrypted_key == "" and listed.base_url == "https://api.example.com/v1"
    assert providers.key_of(listed) == "sk-right"
    raw = "\n".join(line for line in database.engine.raw_connection().iterdump())  # type: ignore[attr-defined]
    assert "sk-right" not in raw
    assert AuditTrail(database).recent()[0].detail == {"base_url": "https://api.example.com/v1", "new_key": True}


def test_a_provider_that_speaks_like_anthropic_is_asked_in_its_way(
    providers: Providers, project: Project, operator: Actor, upstream: str
) -> None:
    saved = providers.save(operator, project.id, "claude", f"{upstream}/v1", "sk-ant", kind="anthropic")
    assert saved.kind == "anthropic" and providers.test(operator, saved.id) == ["gpt-small"]
    with pytest.raises(InvalidInput, match="kind"):
        providers.save(operator, project.id, "odd", f"{upstream}/v1", kind="soap")


def test_saving_again_changes_the_provider_and_keeps_its_key(
    providers: Providers, project: Project, operator: Actor
) -> None:
    first = providers.save(operator, project.id, "openai", "https://api.example.com/v1", "sk-right")
    prices = {"gpt-small": {"prompt": 0.1, "completion": 0.4}}
    again = providers.save(operator, project.id, "openai", "https://api.example.com/v2", "", ["*"], prices)
    assert again.id == first.id and again.prices == prices and providers.key_of(again) == "sk-right"
    assert providers.find(project.id, "openai") == again and providers.find(project.id, "x") is None


def test_a_saved_key_never_follows_its_provider_to_another_origin(
    providers: Providers, project: Project, operator: Actor
) -> None:
    saved = providers.save(operator, project.id, "openai", "https://api.example.com/v1", "sk-right")
    for elsewhere in ("https://evil.example.com/v1", "http://api.example.com/v1", "https://api.example.com:8443/v1"):
        with pytest.raises(InvalidInput, match="enter the provider's key again"):
            providers.save(operator, project.id, "openai", elsewhere)
    assert providers.get(saved.id).base_url == "https://api.example.com/v1"


@pytest.mark.parametrize(
    "url",
    ["", "api.example.com", "file:///etc/passwd", "https://", "https://u:p@h/v1", "http://h/v1?x=1", "http://h:99999"],
)
def test_addresses_that_are_not_plain_web_addresses_are_refused(
    providers: Providers, project: Project, operator: Actor, url: str
) -> None:
    with pytest.raises(InvalidInput, match="base_url"):
        providers.save(operator, project.id, "openai", url)


def test_testing_a_provider_lists_its_models_or_says_what_is_wrong(
    providers: Providers, project: Project, operator: Actor, upstream: str, free_port: Callable[[], int]
) -> None:
    right = providers.save(operator, project.id, "right", f"{upstream}/v1", "sk-right")
    assert providers.test(operator, right.id) == ["gpt-small"]
    for name, url, key, why in (
        ("wrong key", f"{upstream}/v1", "sk-wrong", "refused the key"),
        ("wrong path", upstream, "sk-right", "did not answer like an OpenAI API"),
        ("down", f"http://127.0.0.1:{free_port()}", "", "does not answer"),
    ):
        provider = providers.save(operator, project.id, name, url, key)
        with pytest.raises(Unavailable, match=why):
            providers.test(operator, provider.id)
