"""Routes about tokens: an admin makes, lists and revokes them."""

from __future__ import annotations

from http import HTTPStatus

from actors.api.answers import MadeTokenDocument, TokenDocument, TokensDocument
from actors.api.asking import Answer, answer
from actors.api.bodies import MakingToken
from actors.api.declaring import Call, Nothing, declare
from actors.api.documents import moment
from actors.store.access import AccessToken


async def create(call: Call[MakingToken, Nothing]) -> Answer[MadeTokenDocument]:
    """Make a token; its secret is in this answer and nowhere else."""
    asked = call.body
    token, secret = await call.runtime.access.create_token(
        user_id=call.by if asked.user_id is None else asked.user_id,
        level=asked.level,
        org_id=asked.org_id or None,
        teams=asked.teams,
        name=asked.name,
        expires_in=asked.expires_in,
        by=call.by,
    )
    return answer({**token_document(token), "token": secret}, HTTPStatus.CREATED)


async def listing(call: Call[Nothing, Nothing]) -> Answer[TokensDocument]:
    """All tokens, revoked ones too, the newest first; never their secrets."""
    return answer({"tokens": [token_document(token) for token in await call.runtime.access.tokens()]})


async def revoke(call: Call[Nothing, Nothing]) -> Answer[TokenDocument]:
    """End a token and the sessions that began with it."""
    return answer(token_document(await call.runtime.access.revoke(call.path("token_id"), by=call.by)))


def token_document(token: AccessToken) -> TokenDocument:
    """A token as it may be shown."""
    return {
        "token_id": token.token_id,
        "name": token.name,
        "user_id": token.user_id,
        "org_id": token.org_id,
        "teams": list(token.teams),
        "level": token.level,
        "created_at": moment(token.created_at),
        "created_by": token.created_by,
        "expires_at": moment(token.expires_at),
        "revoked_at": moment(token.revoked_at),
        "last_used_at": moment(token.last_used_at),
    }


ROUTES = [
    declare("GET", "/api/tokens", listing),
    declare("POST", "/api/tokens", create, status=HTTPStatus.CREATED),
    declare("DELETE", "/api/tokens/{token_id}", revoke),
]
