"""``submit --file``: the jobs of a file, in as many requests as they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from actors.cli.client import MANY_SECONDS, Client
from actors.cli.context import Failed, read_job_file

if TYPE_CHECKING:
    from actors.job_requests.job_file import JobFile


def submit_file(client: Client, path: str, again: str | None, params: dict[str, str]) -> list[dict[str, Any]]:
    """Submit the jobs of the file at ``path``. Returns the documents of all of them.

    ``again``: which of the existing jobs are submitted anew, ``failed`` or ``all``. ``params``: those of each request.
    """
    from actors.job_requests.file_parts import FileParts
    from actors.job_requests.matrices import request_document

    job_file = read_job_file(path, client.inherits())
    params = params | _query(job_file, again)
    parts, found = FileParts(job_file.requests), list[dict[str, Any]]()
    try:
        for part in parts.parts():
            body = [request_document(one) for one in part]
            try:
                made = client.request("POST", "api", "jobs", body=body, params=params, seconds=MANY_SECONDS)
            except Failed as error:
                raise type(error)(parts.placed(error.message, job_file.path, part)) from None
            parts.note(part, [(job["job_id"], job["config_name"]) for job in made])
            found += made
    except Failed:
        if found:
            click.echo(f"the first {len(found)} jobs of the file are submitted, the others are not", err=True)
        raise
    return found


def _query(job_file: JobFile, again: str | None) -> dict[str, str]:
    return {"job_file": job_file.digest, **({} if again is None else {"again": again})}
