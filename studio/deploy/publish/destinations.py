"""Which destination an address names: `hub:org/name`, a folder, or s3://bucket/folder and its like."""

from __future__ import annotations

import re

from studio.deploy.publish.port import Destination
from studio.errors import InvalidInput

HUB = "hub:"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def destination(where: str, key: str = "", private: bool = True, hub: str = "") -> Destination:
    """The destination of this address. Raises InvalidInput for one that is none."""
    address = where.strip()
    if address.startswith(HUB):
        from studio.deploy.publish.hub import HubDestination

        name = address.removeprefix(HUB)
        if not HUB_NAME.fullmatch(name):
            raise InvalidInput("A repository on the Hub is written as hub:organisation/name.")
        return HubDestination(name, key, private, hub)
    from studio.deploy.publish.folder import FolderDestination

    if "://" not in address and not address.startswith("/"):
        raise InvalidInput(
            "Write hub:organisation/name, the full path of a folder, or an address such as s3://bucket/x."
        )
    return FolderDestination(address)
