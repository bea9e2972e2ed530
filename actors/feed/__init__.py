"""The event feed: every change as it happens, over WebSocket, on a port of its own.

A client connects with ``Authorization: Bearer TOKEN``. One that cannot set a header (a browser) sends
``{"type": "authenticate", "token": ...}`` as its first message. A token never stands in a URL. The answer is
``{"type": "connected", ...}``; then the client subscribes::

    {"type": "subscribe", "after": 41, "job_id": "...", "types": ["job_status_changed"], "user": "ana", "window": 100}

All fields but the first are optional. ``after``: go on after the event of this number, without loss or doubles;
without it from now on. ``window``: send so many events ahead of ``{"type": "ack", "seq": N}`` at most. Events are sent
as the documents of the HTTP API's stream, each with its ``seq``; messages without a ``seq`` are about the
connection: ``connected``, ``subscribed``, ``gap`` (events after ``after`` were removed), ``pong``, ``error``. The close
codes are in :mod:`actors.feed.messages`; every close for slowness says after which number to resume.
"""

from __future__ import annotations
