"""The event feed: every change as it happens, over WebSocket, on a port of its own.

A client connects with ``Authorization: Bearer TOKEN``. A client that cannot set a header (a browser) sends ``{"type":
"authenticate", "token": ...}`` as its first message. A token is never part of a URL. The answer is ``{"type":
"connected", ...}``; then the client subscribes::

    {"type": "subscribe", "after": 41, "job_id": "...", "types": ["job_status_changed"], "user": "ana", "window": 100}

All fields but the first are optional. ``after``: continue after the event with this number, without lost or repeated
events; without it, from now on. ``window``: at most this many events are sent before ``{"type": "ack", "seq": N}``.
Events are the documents of the HTTP API's stream, each with its ``seq``; messages without a ``seq`` are about the
connection: ``connected``, ``subscribed``, ``gap`` (events after ``after`` were removed), ``pong``, ``error``. The close
codes are in :mod:`actors.feed.messages`; a close because of a slow client always says after which number to resume.
"""

from __future__ import annotations
