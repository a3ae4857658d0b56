"""A repository on the Hugging Face Hub, private unless somebody says otherwise. All files go in one commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.deploy.publish.port import Published, Report
from studio.errors import Conflict, InvalidInput, Unavailable

HUB = "https://huggingface.co"


class HubDestination:
    """A commit is whole or does not exist, and files that are there already are not sent again."""

    def __init__(self, name: str, token: str, private: bool, hub: str = "") -> None:
        if not token:
            raise InvalidInput("The Hub wants a token that may write. Make one at huggingface.co/settings/tokens.")
        from huggingface_hub import HfApi

        self.name, self.private, self.hub = name, private, hub or HUB
        self.api = HfApi(endpoint=self.hub, token=token)

    def put(self, files: dict[str, Path], report: Report) -> Published:
        """Make the repository if it is not there, then commit the files."""
        from huggingface_hub import CommitOperationAdd

        with _mapped(self.name):
            report(0.0, f"Opening {self.name} on the Hub")
            self.api.create_repo(self.name, private=self.private, exist_ok=True)
            report(0.1, f"Sending {len(files)} files to {self.name}")
            added = [CommitOperationAdd(name, str(path)) for name, path in sorted(files.items())]
            commit = self.api.create_commit(self.name, added, commit_message="Published from the studio")
        return Published(f"{self.hub}/{self.name}", str(commit.oid), self.name)


@contextmanager
def _mapped(name: str) -> Iterator[None]:
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        if code in (401, 403):
            raise InvalidInput(
                f"The Hub refused the token for {name} (HTTP {code}). It must be allowed to write."
            ) from error
        if code == 409:
            raise Conflict(f"{name} was changed on the Hub at the same time. Retry.") from error
        raise Unavailable(f"The Hub did not take {name} (HTTP {code}). Retry later.") from error
    except HTTPError as error:
        raise Unavailable(f"The Hub does not answer ({error}). Retry later.") from error
