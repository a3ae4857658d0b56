"""People in Argilla: a user per teammate, made when first needed, and the workspace they share."""

from __future__ import annotations

import secrets
from typing import Any

from studio.errors import Conflict
from studio.label.argilla_rest import ArgillaRest
from studio.label.backend import Teammate


def workspace_id(rest: ArgillaRest, name: str) -> str:
    """The id of the workspace, made if it is not there."""
    found = _workspace(rest, name)
    if found is None:
        try:
            found = rest.send("POST", "/workspaces", {"name": name})
        except Conflict:  # somebody else was quicker
            found = _workspace(rest, name)
    if found is None:
        raise Conflict(f"The Argilla workspace {name} comes and goes. Try again.")
    return str(found["id"])


def admit(rest: ArgillaRest, teammate: Teammate, workspace: str) -> None:
    """Make sure the person is an Argilla user with the right role and a member of the workspace."""
    user = _user(rest, teammate)
    known = rest.get(f"/workspaces/{workspace}/users")["items"]
    if user["id"] not in {each["id"] for each in known}:
        try:
            rest.send("POST", f"/workspaces/{workspace}/users", {"user_id": user["id"]})
        except Conflict:
            return  # became a member meanwhile


def usernames(rest: ArgillaRest) -> dict[str, str]:
    """User id → username."""
    return {each["id"]: each["username"] for each in rest.get("/users")["items"]}


def _workspace(rest: ArgillaRest, name: str) -> dict[str, Any] | None:
    return next((each for each in rest.get("/me/workspaces")["items"] if each["name"] == name), None)


def _user(rest: ArgillaRest, teammate: Teammate) -> dict[str, Any]:
    role = "admin" if teammate.is_admin else "annotator"
    found = _named(rest, teammate.username)
    if found is None:
        return _new_user(rest, teammate.username, role)
    if found["role"] == "owner":
        raise Conflict(f"The name {teammate.username} belongs to Argilla's owner. Use another account to label.")
    if found["role"] != role:
        rest.send("PATCH", f"/users/{found['id']}", {"role": role})
    return found


def _named(rest: ArgillaRest, username: str) -> dict[str, Any] | None:
    return next((each for each in rest.get("/users")["items"] if each["username"] == username), None)


def _new_user(rest: ArgillaRest, username: str, role: str) -> dict[str, Any]:
    """The password is random and kept nowhere: people enter by ticket."""
    body = {"username": username, "first_name": username, "role": role, "password": secrets.token_urlsafe(32)}
    try:
        made: dict[str, Any] = rest.send("POST", "/users", body)
    except Conflict:
        found = _named(rest, username)
        if found is None:
            raise
        return found
    return made
