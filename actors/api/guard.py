"""The guard before the application: it identifies the caller of a request, and checks their rights and rate.

A request passes these checks in this order. The first check that fails is the answer, and no route gets the request:

1. Unix socket: the kernel names the user. The supervisor's own user may do everything, and nothing below is checked;
   any other user, also root, gets 403 on the socket of the state directory. What follows is for TCP, where a ``peer``
   in the request's state is not trusted, and for other users on the shared socket.
2. Host must be one of ours (421; against DNS rebinding); a change must come from a page of ours or from no page
   (Origin, 403). On a Unix socket, which no page reaches, neither is checked.
3. The announced length of the body must be allowed (413). The body itself is counted while a route reads it.
4. The token or session is looked up in memory; on the shared socket, the user's name and rights. From here on the
   ``peer`` is known, or None: unknown. This comes before the rate, so that a valid token is counted by itself and not
   with the unknown clients of its address.
5. The rate of that peer, or of the address (429). A sign-in is let through, and checks the rate when it knows whether
   its secret is valid.
6. A route that is open to all is served here, without a peer. Others need one (401); a change in a browser's session
   needs the Origin header; the caller must have the route's level (403; :mod:`actors.access.permission`).

After that, a route that needs a level has a ``peer`` in its state. A declared route then finds what its path names
among what that peer may see, and answers 404 for the rest (:mod:`actors.api.naming`). Lists are filtered by their
handlers. Rights can end while a stream is open: they are checked again every :data:`LOOK_AGAIN` seconds, and the stream
ends with them.
"""

from __future__ import annotations

import os
from typing import Any

import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.access.hosts import AllowedHosts, same_origin
from actors.access.peer import Peer
from actors.access.permission import ADMIN, Permission
from actors.access.secret import bearer_token
from actors.access.users import SocketUsers
from actors.api.answers import csp, with_headers
from actors.api.body import bounded, too_long
from actors.api.options import HttpOptions
from actors.api.problems import problem, problem_of
from actors.api.rate_limits import SIGN_IN, RateLimiter, SignInRate, StreamLimit, check_rate
from actors.api.route import permission_of
from actors.api.route_table import FOUND, RouteTable
from actors.api.unix_peer import user_name
from actors.control.runtime import Reading, Runtime
from actors.jobs.refusal import RefusalKind, Refused
from actors.net.streams import BoundedStream
from actors.store import caller
from actors.store.errors import StoreError
from logconf import get_logger
from logconf.asgi import App

LOOK_AGAIN = 30.0
"""Seconds between two checks whether the token or session of an open stream is still valid."""
FILES_PER_REQUEST = 10
"""This many files of the page count as one request against the rate, because a file costs no read of the store."""
_UID = "uid"
"""The key in a request's state for the number of the user who sends it, on the shared socket."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_logger = get_logger("actors.api.guard")


class AccessGuard:
    """Guards ``app``, whose routes are in ``table``, by the rules of ``options``."""

    def __init__(
        self,
        app: ASGIApp,
        table: RouteTable,
        runtime: Runtime | Reading,
        options: HttpOptions,
        feed_port: int | None = None,
        users: SocketUsers | None = None,
    ) -> None:
        self._app = app
        self._table = table
        self._access = None if isinstance(runtime, Reading) else runtime.access
        self._faults = runtime.client_faults
        self._options = options
        self._feed_port = feed_port
        self._users = users
        self._hosts = AllowedHosts((options.host, *options.allowed_hosts))
        self._webhook_hosts = AllowedHosts((options.host, *options.allowed_hosts, *options.webhook_hosts))
        self._rates = RateLimiter(options.requests_per_minute)
        self._file_rates = RateLimiter(options.requests_per_minute * FILES_PER_REQUEST)
        self._streams = StreamLimit(options.max_streams, options.max_streams_per_token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer why not. WebSockets are refused: the event feed has a port of its own."""
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
        permission = self._permission(scope)
        if not permission.webhook:  # which reads its own bodies
            receive = bounded(receive, self._options.max_body_bytes)
        if is_local:
            caller.set("socket")
            _recognise(state)
            await self._app(scope, receive, send)
            return
        state.pop("peer", None)
        if isinstance(peer, Peer) and peer.via == "socket_other":
            if self._users is None:
                await _another_user(peer)(scope, receive, send)
                return
            state[_UID] = peer.uid
        try:
            peer = await self._check(request, permission)
        except (HTTPException, StoreError, Refused) as error:
            extra = {"method": request.method, "path": scope["path"]}
            _logger.debug("A request was refused: %s", error, extra=extra)
            await problem_of(error)(scope, receive, send)
            return
        if peer is not None:
            state["peer"] = peer
            _recognise(state)
        await self._serve(request, permission, peer, receive, send)

    def _permission(self, scope: Scope) -> Permission:
        """The permission of the route that the application will choose; a route without one needs level admin."""
        match, _, route = scope[FOUND] = self._table.find(scope)
        return permission_of(route) if match is Match.FULL and route is not None else ADMIN

    async def _check(self, request: Request, permission: Permission) -> Peer | None:
        """Checks 2 to 6. Returns the peer, None if the route is open to all. Raises ``HTTPException``, which is the
        answer.
        """
        self._check_host_and_origin(request, permission)
        announced = int(request.headers.get("content-length", "0"))
        if announced > self._options.max_body_bytes and not permission.webhook:
            raise too_long(self._options.max_body_bytes)
        peer = await self._peer(request)  # first: a good secret is no stranger at a busy address
        self._count_request(request, permission, peer)
        if permission.level is None:
            return None
        if peer is None:
            headers = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "a token or a session is needed", headers)
        caller.set(peer.key)
        if peer.via == "session" and request.method not in _SAFE and "origin" not in request.headers:
            raise HTTPException(403, "a change in a browser's session needs the Origin header")
        if permission.socket:
            own = user_name(os.geteuid())
            raise HTTPException(
                403, f"this is for the supervisor's own user ({own}) on the socket of its state directory"
            )
        if not peer.has(permission.level):
            raise HTTPException(403, f"this needs level {permission.level}, not {peer.level}")
        return peer

    def _check_host_and_origin(self, request: Request, permission: Permission) -> None:
        """Check the Host header against DNS rebinding, and Origin against changes by pages of other sites."""
        if _UID in request.scope["state"]:
            return
        hosts = request.headers.getlist("host")
        allowed = self._webhook_hosts if permission.webhook else self._hosts
        if len(hosts) != 1 or not allowed.allows(hosts[0]):
            raise HTTPException(421, "this name is not one of this server's (http.allowed_hosts)")
        origins = request.headers.getlist("origin")
        if request.method not in _SAFE and not all(same_origin(origin, hosts[0]) for origin in origins):
            raise HTTPException(403, "pages of other origins may not change anything here")

    async def _peer(self, request: Request) -> Peer | None:
        if self._users is not None and (uid := request.scope["state"].get(_UID)) is not None:
            return await self._users.peer(uid)
        if self._access is None:  # without a supervisor there is only the caller in this process, and no token
            return None
        authorization = request.headers.get("authorization")
        if authorization is not None:
            if (secret := bearer_token(authorization)) != "":
                return await self._access.token_peer(secret)
        elif (secret := request.cookies.get(cookie_name(request), "")) != "":
            return await self._access.session_peer(secret)
        await trio.lowlevel.checkpoint()
        return None

    def _count_request(self, request: Request, permission: Permission, peer: Peer | None) -> None:
        """Count the request against the rate of its peer or address. Raises ``HTTPException`` 429."""
        if permission.rate == "none":
            return
        key = f"address:{address_of(request, self._options)}" if peer is None else peer.key
        wait = (self._file_rates if permission.rate == "files" else self._rates).take(key)
        if permission.rate == "sign_in":
            request.scope["state"][SIGN_IN] = SignInRate(self._rates, wait)
        else:
            check_rate(wait)

    def _counting(self, send: Send, state: dict[str, Any]) -> Send:
        """``send``, which counts refusals to unknown clients."""

        async def send_counting(message: Message) -> None:
            if message["type"] == "http.response.start" and "peer" not in state:
                status = message["status"]
                if 400 <= status < 500:
                    self._faults.count("http" if self._users is None else "shared_socket", f"status {status}")
            await send(message)

        return send_counting

    async def _serve(
        self, request: Request, permission: Permission, peer: Peer | None, receive: Receive, send: Send
    ) -> None:
        if not permission.stream:
            await self._app(request.scope, receive, send)
            return
        key = peer.key if peer is not None else f"address:{address_of(request, self._options)}"
        try:
            with self._streams.one_more(key):
                await self._stream(request, peer, receive, send)
        except HTTPException as error:  # of the limit: the application answers its own
            await problem_of(error)(request.scope, receive, send)

    async def _stream(self, request: Request, peer: Peer | None, receive: Receive, send: Send) -> None:
        """Serve an answer that stays open until it ends, or until its reader's rights end."""
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
            except StoreError:  # the store logs it; the next check decides
                continue
            except Refused as error:
                if error.kind is RefusalKind.UNAVAILABLE:  # nobody can say now who it is
                    continue
                now = None
            if not peer.is_still(now):
                stream.cancel()


def _another_user(peer: Peer) -> Response:
    """The answer to any user but the supervisor's own, also root: being able to connect gives no right."""
    own = user_name(os.geteuid())
    message = f"this socket takes requests of user {own} alone, and you are {peer.name}: run this as {own}"
    return problem(403, message)


def asked_by(app: App, peer: Peer) -> App:
    """``app`` for a caller in this process, who needs no token: every request counts as a request of ``peer``."""

    async def with_peer(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {**scope.get("state", {}), "peer": peer}}, receive, send)

    return with_peer


def _recognise(state: dict[str, Any]) -> None:
    """Mark the connection, if there is one, as that of a known client: it is not closed in favour of another."""
    if isinstance(connection := state.get("connection"), BoundedStream):
        connection.recognise()


def address_of(request: Request, options: HttpOptions) -> str:
    """The client's address. Behind a proxy it is the one that the proxy appended, because a client can write the
    others.
    """
    if options.behind_proxy and (forwarded := request.headers.getlist("x-forwarded-for")):
        return forwarded[-1].rsplit(",", 1)[-1].strip()[:64]
    return request.client.host if request.client is not None else ""


def cookie_name(request: Request) -> str:
    """The name of the cookie, which contains the port.

    Cookies ignore ports, so supervisors on one machine would overwrite each other's.
    """
    server = request.scope.get("server")
    port = server[1] if server else None
    return "greenroom_session" if port is None else f"greenroom_session_{port}"
