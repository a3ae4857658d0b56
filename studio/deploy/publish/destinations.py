"""Which destination an address names: `hub:org/name`, a company's model, a folder, or s3://bucket/folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from studio.deploy.publish.port import Destination
from studio.errors import InvalidInput

HUB, FIREWORKS, TOGETHER = "hub:", "fireworks:", "together:"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Source:
    """Where a company that fetches the weights itself finds them."""

    address: str = field(default="", repr=False)
    """A repository on the Hub, or the signed https address of an archive."""
    token: str = field(default="", repr=False)
    """To read a repository that is private."""


def destination(
    where: str,
    key: str = "",
    private: bool = True,
    hub: str = "",
    *,
    url: str = "",
    source: Source | None = None,
    digest: str = "",
) -> Destination:
    """The destination of this address. Raises InvalidInput for one that is none.

    `digest` names the weights, so that a second attempt finds its own; `url` is a company's address if not the usual.
    """
    address = where.strip()
    if address.startswith(FIREWORKS):
        from studio.deploy.publish.fireworks import FireworksDestination

        return FireworksDestination(address.removeprefix(FIREWORKS), key, digest, url)
    if address.startswith(TOGETHER):
        from studio.deploy.publish.together import TogetherDestination

        return TogetherDestination(address.removeprefix(TOGETHER), key, digest, source or Source(), url)
    if address.startswith(HUB):
        from studio.deploy.publish.hub import HubDestination

        name = address.removeprefix(HUB)
        if not HUB_NAME.fullmatch(name):
            raise InvalidInput("A repository on the Hub is written as hub:organisation/name.")
        return HubDestination(name, key, private, hub)
    from studio.deploy.publish.folder import FolderDestination

    if "://" not in address and not address.startswith("/"):
        raise InvalidInput(
            "Write hub:organisation/name, fireworks:account/model, together:model, the full path of a folder, or an "
            "address such as s3://bucket/x."
        )
    return FolderDestination(address)
