"""The guard in front of the application: who asks, from where, whether they may, and how much of it.

On the Unix socket the kernel has said who asks, and there is nothing more to ask. Everywhere else a request passes:
the Host list, the Origin rule, the token or session, the level that its route needs (:mod:`actors.access.policy`), its
rate, the owner of what it names. Whatever is not allowed is answered here, and reaches no route.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.access.hosts import AllowedHosts, same_origin
from actors.access.peer import Peer
from actors.access.policy import ADMIN, Permission, permission_for
from actors.api.headers import csp, with_headers
from actors.api.options import HttpOptions
from actors.api.problems import http_fault, not_kept, problem
from actors.api.rate_limits import SIGN_IN, RateLimiter, SignInRate, StreamLimit, TooManyStreams, check_rate
from actors.api.unix_peer import user_name
from actors.control.runtime import Reading, Runtime
from actors.jobs.refusal import Refused
from actors.net.streams import BoundedStream
from actors.store import caller
from actors.store.errors import StoreError
from logconf import get_logger
from logconf.asgi import App

LOOK_AGAIN = 30.0
"""Seconds after which an open stream asks anew whether its token or session still holds."""
MOST_OF_SIGN_IN = 4096
"""Bytes of a sign-in, which strangers send, from an address whose rate is spent too: it may hold a good token."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_logger = get_logger("actors.api.access")


class AccessGuard:
    """Puts ``app``, whose routes are ``routes``, behind the rules of ``options``."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        runtime: Runtime | Reading,
        options: HttpOptions,
        feed_port: int | None = None,
    ) -> None:
        self._app = app
        self._routes = routes
        self._access = None if isinstance(runtime, Reading) else runtime.access
        self._faults = runtime.client_faults
        self._options = options
        self._feed_port = feed_port
        self._hosts = AllowedHosts((options.host, *options.allowed_hosts))
        self._webhook_hosts = AllowedHosts((options.host, *options.allowed_hosts, *options.webhook_hosts))
        self._rates = RateLimiter(options.requests_per_minute)
        self._streams = StreamLimit(options.max_streams, options.max_streams_per_token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say why not. There is no WebSocket here: the event feed has a port of its own."""
        before = caller.set(None)
        try:
            await self._guarded(scope, receive, send)
        finally:
            caller.reset(before)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        state = scope.setdefault("state", {})
        peer = state.get("peer")
        is_local = isinstance(peer, Peer) and peer.is_local
        if not is_local:
            send = self._counting(send, state)
        send = with_headers(send, csp(request.headers.get("host"), self._feed_port))
        need, params = self._need(scope)
        if not need.webhook:  # which reads its own bodies
            receive = _bounded(receive, self._options.max_body_bytes)
        if is_local:
            caller.set("socket")
            _recognise(state)
            await self._app(scope, receive, send)
            return
        if isinstance(peer, Peer) and peer.via == "socket_other":
            await _another_user(peer)(scope, receive, send)
            return
        state.pop("peer", None)
        try:
            peer = await self._admitted(request, need, params)
        except HTTPException as refusal:
            extra = {"status": refusal.status_code, "method": request.method, "path": scope["path"]}
            _logger.debug("A request was turned away: %s", refusal.detail, extra=extra)
            await http_fault(refusal)(scope, receive, send)
            return
        except StoreError as error:
            await not_kept(error)(scope, receive, send)
            return
        if peer is not None:
            state["peer"] = peer
            _recognise(state)
        if (attempt := state.get(SIGN_IN)) is not None and attempt.wait > 0:
            receive = _bounded(receive, MOST_OF_SIGN_IN)
        await self._serve(request, need, peer, receive, send)

    def _need(self, scope: Scope) -> tuple[Permission, dict[str, Any]]:
        """What the route that will serve this needs, found as the application finds it; without one, an admin."""
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                return permission_for(scope["method"], getattr(route, "path", "")), found.get("path_params", {})
        return ADMIN, {}

    async def _admitted(self, request: Request, need: Permission, params: dict[str, Any]) -> Peer | None:
        """Who asks; None where anybody may. Raises ``HTTPException``: the answer to who may not."""
        self._check_where_from(request, need)
        announced = int(request.headers.get("content-length", "0"))
        if announced > self._options.max_body_bytes and not need.webhook:
            raise HTTPException(*_too_long(self._options.max_body_bytes))
        peer = await self._peer(request)  # first: a good secret is no stranger at a busy address
        self._count_request(request, need, peer)
        if need.level is None:
            return None
        if peer is None:
            headers = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "a token or a session is needed", headers)
        caller.set(peer.key)
        if peer.via == "session" and request.method not in _SAFE and "origin" not in request.headers:
            raise HTTPException(HTTPStatus.FORBIDDEN, "a change in a browser's session needs the Origin header")
        if need.socket:
            raise HTTPException(HTTPStatus.FORBIDDEN, "this is for the Unix socket only")
        if not peer.has(need.level):
            raise HTTPException(HTTPStatus.FORBIDDEN, f"this takes somebody of level {need.level}, not {peer.level}")
        await self._check_owner(peer, need, params)
        return peer

    def _check_where_from(self, request: Request, need: Permission) -> None:
        """The Host list against DNS rebinding, the Origin against other people's pages that would change something."""
        hosts = request.headers.getlist("host")
        allowed = self._webhook_hosts if need.webhook else self._hosts
        if len(hosts) != 1 or not allowed.allows(hosts[0]):
            raise HTTPException(
                HTTPStatus.MISDIRECTED_REQUEST, "this name is not one of this server's (http.allowed_hosts)"
            )
        origins = request.headers.getlist("origin")
        if request.method not in _SAFE and not all(same_origin(origin, hosts[0]) for origin in origins):
            raise HTTPException(HTTPStatus.FORBIDDEN, "pages of other origins may not change anything here")

    async def _peer(self, request: Request) -> Peer | None:
        if self._access is None:  # the rows alone are asked in their own process, by nobody from elsewhere
            return None
        authorization = request.headers.get("authorization")
        if authorization is not None:
            scheme, _space, secret = authorization.partition(" ")
            if scheme.lower() == "bearer" and secret.strip():
                return await self._access.token_peer(secret.strip())
        elif (secret := request.cookies.get(cookie_name(request), "")) != "":
            return await self._access.session_peer(secret)
        await trio.lowlevel.checkpoint()
        return None

    def _count_request(self, request: Request, need: Permission, peer: Peer | None) -> None:
        """Against the rate of who asks. Raises ``HTTPException`` 429."""
        if need.rate == "none":
            return
        key = f"address:{address_of(request, self._options)}" if peer is None else peer.key
        wait = self._rates.take(key)
        if need.rate == "sign_in":
            request.scope["state"][SIGN_IN] = SignInRate(self._rates, wait)
        else:
            check_rate(wait)

    def _counting(self, send: Send, state: dict[str, Any]) -> Send:
        """``send``, which counts what strangers are refused."""

        async def send_counting(message: Message) -> None:
            if message["type"] == "http.response.start" and "peer" not in state:
                status = message["status"]
                if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._faults.count("http", f"status {status}")
            await send(message)

        return send_counting

    async def _check_owner(self, peer: Peer, need: Permission, params: dict[str, Any]) -> None:
        """Somebody else's is answered as if it were not there, whatever is true."""
        access = self._access
        if access is None or peer.only_user is None or need.own not in ("job", "approval"):
            await trio.lowlevel.checkpoint()
            return
        what, find = (
            ("job", access.owner_of_job) if need.own == "job" else ("approval request", access.owner_of_approval)
        )
        part = str(params.get(f"{need.own}_id", ""))
        try:
            owner = await find(part)
        except Refused:
            owner = None
        if owner != peer.only_user:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no {what} {part!r:.80}")

    async def _serve(self, request: Request, need: Permission, peer: Peer | None, receive: Receive, send: Send) -> None:
        if not need.stream:
            await self._app(request.scope, receive, send)
            return
        key = peer.key if peer is not None else f"address:{address_of(request, self._options)}"
        try:
            with self._streams.one_more(key):
                await self._stream(request, peer, receive, send)
        except TooManyStreams as error:
            answer: Response = problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": "10"})
            await answer(request.scope, receive, send)

    async def _stream(self, request: Request, peer: Peer | None, receive: Receive, send: Send) -> None:
        """Serve an answer that stays open for as long as who reads it may."""
        async with trio.open_nursery() as nursery:
            if peer is not None:
                nursery.start_soon(self._end_with_rights, request, peer, nursery.cancel_scope)
            await self._app(request.scope, receive, send)
            nursery.cancel_scope.cancel()

    async def _end_with_rights(self, request: Request, peer: Peer, stream: trio.CancelScope) -> None:
        while True:
            await trio.sleep(LOOK_AGAIN)
            try:
                now = await self._peer(request)
            except StoreError:  # it says so itself, and the next look will tell
                continue
            if now is None or (now.name, now.level) != (peer.name, peer.level):
                stream.cancel()


def _another_user(peer: Peer) -> Response:
    """The answer to whoever is not the supervisor's own user, root included: being able to connect is no right."""
    own = user_name(os.geteuid())
    message = f"this socket takes requests of user {own} alone, and you are {peer.name}: run this as {own}"
    return problem(HTTPStatus.FORBIDDEN, message)


def asked_by(app: App, peer: Peer) -> App:
    """``app`` for a caller in this process, who needs no token: every request is ``peer``'s."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {**scope.get("state", {}), "peer": peer}}, receive, send)

    return asked


def _recognise(state: dict[str, Any]) -> None:
    """Tell the connection, where the server has handed it over, that who asks is known: it gives way to nobody."""
    if isinstance(connection := state.get("connection"), BoundedStream):
        connection.recognise()


def address_of(request: Request, options: HttpOptions) -> str:
    """The client's address; behind a proxy what the proxy itself appended, since a client can write the rest."""
    if options.behind_proxy and (forwarded := request.headers.getlist("x-forwarded-for")):
        return forwarded[-1].rsplit(",", 1)[-1].strip()[:64]
    return request.client.host if request.client is not None else ""


def cookie_name(request: Request) -> str:
    """Cookies know no ports: supervisors on one machine would sign one another out under one name."""
    server = request.scope.get("server")
    port = server[1] if server else None
    return "greenroom_session" if port is None else f"greenroom_session_{port}"


def _bounded(receive: Receive, most: int) -> Receive:
    """``receive``, until a body is longer than it may be; then it raises the answer, in the route that reads."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(*_too_long(most))
        return message

    return receive_bounded


def _too_long(most: int) -> tuple[int, str]:
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {most} bytes"
