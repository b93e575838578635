"""Calls of Edge Impulse's own client, each within a deadline, and what their failures mean.

The client by itself tries ten times to reach a host that refuses connections, follows redirections with the key, and
raises exceptions of several libraries.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from http import HTTPStatus
from time import sleep
from typing import Any

from reds_core.errors import UnavailableError
from reds_edge_impulse.account import ENDPOINT, KEY, SET_KEY, Account
from reds_edge_impulse.deadline import Deadline

CONNECT_S, REQUEST_S = 10.0, 60.0
"""Seconds in which the host has to accept a connection, and to answer a request."""
TRIES, PAUSE_S = 3, 0.5
"""How often a request that changes nothing is sent if the connection breaks, and the seconds between these times."""
LATER = f"try again later, or check {ENDPOINT} and the network"
_BUSY = range(502, 505)
"""The statuses of gateways whose server is not reached for the moment."""


class Refusal(UnavailableError):
    """The service understood a request and refused it.

    Attributes:
        said: What it said, in one line.
    """

    def __init__(self, said: str) -> None:
        self.said = said
        super().__init__(f"Edge Impulse refuses a request ({said})", "look at the project in Edge Impulse Studio")


class Connection:
    """A connection to the service.

    Args:
        account: Where it is, and the key.
        deadline: By when all requests have to be answered.

    Attributes:
        client: The client, from which its classes of calls are made.
        deadline: That deadline.

    Raises:
        UnavailableError: If the host cannot be reached.
    """

    def __init__(self, account: Account, deadline: Deadline) -> None:
        self._account, self.deadline = account, deadline
        self._reach()
        import edgeimpulse_api
        import urllib3

        settings = edgeimpulse_api.Configuration(host=account.endpoint, retries=urllib3.Retry(total=0, redirect=0))
        settings.api_key["ApiKeyAuthentication"] = account.key
        self.client: Any = edgeimpulse_api.ApiClient(settings)

    def read(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Make a call that changes nothing; arguments, result and errors are those of `ask`."""
        return self.ask(call, *arguments, tries=TRIES, **more)

    def ask(self, call: Callable[..., Any], *arguments: Any, tries: int = 1, **more: Any) -> Any:
        """Make a call that is answered with a record.

        Args:
            call: A method of one of the client's classes of calls.
            *arguments: Its arguments.
            tries: How often it is made if the connection breaks.
            **more: Its named arguments.

        Raises:
            Refusal: If the service refuses the request.
            UnavailableError: If it cannot be reached, does not answer in time, or answers with something else.
        """
        answer = self.fetch(call, *arguments, tries=tries, **more)
        if getattr(answer, "success", None) is not True:
            raise unreadable("it lacks the field success")
        return answer

    def fetch(self, call: Callable[..., Any], *arguments: Any, tries: int = 1, **more: Any) -> Any:
        """Make a call, whatever it is answered with; arguments and errors are those of `ask`."""
        from urllib3.exceptions import HTTPError

        for left in reversed(range(tries)):
            limit = self.deadline.seconds(REQUEST_S)
            try:
                return call(*arguments, **more, _request_timeout=limit)
            except HTTPError as error:
                if self.deadline.is_over:
                    raise self.deadline.error() from error
                failure = self._unreached(_reason(error, limit))
            except Exception as error:
                failure = self._failure(error)
                if left == 0 or getattr(error, "status", None) not in _BUSY:
                    raise failure from error
            if left:
                sleep(self.deadline.seconds(PAUSE_S))
        raise failure

    def _reach(self) -> None:
        """Connect once, since a wrong address is told at once and not after the retries of a request."""
        address = (self._account.host, self._account.port)
        try:
            socket.create_connection(address, self.deadline.seconds(CONNECT_S)).close()
        except TimeoutError:
            raise self._unreached("it does not answer") from None
        except OSError as error:
            raise self._unreached(error.strerror or type(error).__name__) from error

    def _unreached(self, reason: str) -> UnavailableError:
        where = f"{self._account.host}:{self._account.port}"
        return UnavailableError(f"Edge Impulse cannot be reached at {where} ({reason})", LATER)

    def _failure(self, error: Exception) -> UnavailableError:
        """Return what an exception of the client means."""
        if type(error) is Exception:  # the client raises what the service says as no narrower class
            return Refusal(self.shown(str(error)))
        status = getattr(error, "status", None)
        if not isinstance(status, int) or status == 0:
            return unreadable(self.shown(f"{type(error).__name__}: {error}"))
        name = f"{status} {HTTPStatus(status).phrase}" if status in {*HTTPStatus} else str(status)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return UnavailableError(f"Edge Impulse refuses the key in {KEY} ({name})", SET_KEY)
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY):
            return Refusal(self.shown(_told(error) or name))
        return UnavailableError(f"Edge Impulse answers {name}", LATER)

    def shown(self, text: str) -> str:
        """Return the first line of a text of the service, which might quote the key or hold what a terminal obeys."""
        lines = text.replace(self._account.key, "...").split("\n")
        plain = ("".join(each if each.isprintable() else " " for each in line).strip() for line in lines)
        return next((line[:200] for line in plain if line), "no reason is given")


def unreadable(reason: str) -> UnavailableError:
    """Return the error for an answer that is not as the client expects it."""
    return UnavailableError(
        f"an answer of Edge Impulse cannot be read ({reason.rstrip('.')})",
        f"try again later, check {ENDPOINT}, or update the package edgeimpulse-api",
    )


def _told(error: Exception) -> str | None:
    """Return what the body of an answer with an error says, if it is a record of the service."""
    try:
        told = json.loads(getattr(error, "body", None) or "{}").get("error")
    except (ValueError, AttributeError):
        return None
    return told if isinstance(told, str) else None


def _reason(error: Exception, limit_s: float) -> str:
    """Return in a few words why a request failed below HTTP."""
    from urllib3 import exceptions

    cause = error.reason if isinstance(error, exceptions.MaxRetryError) and error.reason is not None else error
    if isinstance(cause, exceptions.TimeoutError) and not isinstance(cause, exceptions.NewConnectionError):
        return f"no answer within {limit_s:.3g} s"
    if isinstance(cause, exceptions.ResponseError):
        return "it redirects requests"
    return re.sub(r"\[Errno -?\d+\] ", "", str(cause).rpartition(": ")[2]).strip("() '\"") or type(cause).__name__
