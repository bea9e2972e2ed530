"""Greenroom in an ASGI application: the lifespan starts and stops it; request and job share a correlation ID.

    hypercorn --worker-class trio examples/04_asgi_lifespan.py:app
    curl -X POST -H 'X-Correlation-ID: my-trail' 'http://127.0.0.1:8000/squares?number=7'

Decide carefully who may start programs on your machine: here callers choose a number, not the program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from actors import JobRequest, Runtime, Settings, open_runtime
from logconf.asgi import CorrelationMiddleware


class State(TypedDict):
    """The state that the lifespan shares with every request."""

    runtime: Runtime


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    """The server enters this before its first request and leaves it after its last; running jobs continue after that.

    An application with separate callbacks for start and stop calls `start_background_tasks()` and
    `stop_background_tasks()` in them instead.
    """
    settings = Settings.default(state_dir=os.environ.get("STATE_DIR", ".greenroom"))
    async with open_runtime(settings) as runtime:
        yield {"runtime": runtime}


async def square(request: Request) -> JSONResponse:
    """Run a job and return its output. The job has the request's correlation ID, which the middleware has bound."""
    try:
        number = int(request.query_params["number"])
    except (KeyError, ValueError):
        return JSONResponse({"error": "number: give a whole number"}, status_code=422)
    runtime: Runtime = request.state.runtime
    command = (sys.executable, "-c", f"print({number} ** 2)")
    job = await runtime.submit(JobRequest(provider="local", command=command, user_id="web"))
    job = await runtime.wait(job.job_id)
    output = b"".join([chunk async for chunk, _cursor in runtime.logs(job.job_id)])
    facts = {"job_id": job.job_id, "status": job.status, "correlation_id": job.correlation_id}
    return JSONResponse({**facts, "output": output.decode().strip()})


app = Starlette(
    routes=[Route("/squares", square, methods=["POST"])],
    middleware=[Middleware(CorrelationMiddleware)],
    lifespan=lifespan,
)
