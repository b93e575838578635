"""The API key and the address of the service, from the environment variables that Edge Impulse's own tools read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from reds_core.errors import InputError, UnavailableError

KEY, ENDPOINT = "EI_API_KEY", "EI_API_ENDPOINT"
"""The environment variables."""
DEFAULT_ENDPOINT = "https://studio.edgeimpulse.com/v1"
SET_KEY = f"set the environment variable {KEY} to a key from Dashboard > Keys of a project in Edge Impulse Studio"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Account:
    """Where the service is, and the key to a project.

    Attributes:
        endpoint: The address of the API, without a slash at its end.
        host: The name of the host in it.
        port: The port in it, or that of its protocol.
        key: The API key, which is not shown.
    """

    endpoint: str
    host: str
    port: int
    key: str = field(repr=False)

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Account:
        """Return the account that environment variables name.

        Raises:
            UnavailableError: If there is no key.
            InputError: If the key or the address is malformed, or the address is neither https nor on this machine.
        """
        key = environment.get(KEY, "").strip()
        if not key:
            raise UnavailableError("target 'edge-impulse' needs an API key of Edge Impulse", SET_KEY)
        if not all((character.isascii() and character.isalnum()) or character in "_-." for character in key):
            # such a key would be quoted in the messages of the libraries that send it
            raise InputError(f"{KEY} is not an API key, since it has spaces or special characters", SET_KEY)
        endpoint = (environment.get(ENDPOINT, "").strip() or DEFAULT_ENDPOINT).rstrip("/")
        fix = f"give one like {DEFAULT_ENDPOINT}"
        if "@" in endpoint:
            raise InputError(f"{ENDPOINT} holds the name or the password of a user, which is not sent", fix)
        try:
            parts = urlsplit(endpoint)
            usual = _PORTS[parts.scheme]
            host, port = parts.hostname, parts.port or usual
        except (ValueError, KeyError):
            host, port = None, 0
        if not host:
            raise InputError(f"{ENDPOINT} is no address: '{endpoint}'", fix)
        if parts.scheme == "http" and not _is_this_machine(host):
            raise InputError(
                f"the key would be sent to '{host}' for anyone to read, since {ENDPOINT} is not https", fix
            )
        return Account(endpoint, host, port, key)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
