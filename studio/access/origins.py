"""Origins of addresses: a key goes to the origin it was entered for, and to no other."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
WEB = ("http", "https")
Origin = tuple[str, str | None, int | None]


def origin_of(url: str) -> Origin:
    """Scheme, host and port of an address, the scheme's own port where none is named."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def web_address(url: str) -> str:
    """The address without a slash at its end. Raises ValueError saying what does not belong there."""
    parts = urlsplit(url)
    if parts.scheme not in WEB or not parts.hostname:
        raise ValueError("it must start with http:// or https:// and name a host")
    if parts.port == 0 or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("leave out user names, passwords, ? and #, and port 0")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the address is this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def addresses_of(host: str) -> list[str]:
    """Every network address of a host; none when its name cannot be resolved."""
    with suppress(OSError, UnicodeError):
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None)})
    return []


def is_public(addresses: list[str]) -> bool:
    """Whether one of them can be reached from everywhere."""
    return any(ipaddress.ip_address(each.partition("%")[0]).is_global for each in addresses)
