"""Commands about approval requests: approvals, approve, reject."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.address import program
from actors.cli.client import Client
from actors.cli.job_text import ago, clock
from actors.cli.options import given, with_client, with_pages
from actors.cli.tables import ending, print_answer, print_rows, short


@click.command()
@click.option("--all", "everything", is_flag=True, help="Include requests that were decided or have expired.")
@with_pages(100)
@with_client
def approvals(client: Client, as_json: bool, everything: bool, **page: Any) -> None:
    """List approval requests that are pending."""
    found = client.read("api", "approvals", params=given({"status": None if everything else "pending", **page}))
    requests = found["approvals"]
    print_rows(requests, as_json, "No approval is pending.", {
        "ID": ending("approval_id"), "JOB": ending("job_id"), "NAME": "config_name", "USER": "user_id",
        "STATUS": "status", "REASON": "reason", "LEVEL": "required_level",
        "REQUESTED": lambda one: ago(one["requested_at"]), "EXPIRES": lambda one: clock(one["expires_at"]),
    })  # fmt: skip
    if as_json:
        return
    if found["next"]:
        click.echo(f"more: {program()} approvals {'--all ' if everything else ''}--cursor {found['next']}")
    if any(one["status"] == "pending" for one in requests):
        click.echo(f"{program()} approve ID, {program()} reject ID --reason WHY")


@click.command()
@click.argument("approval", metavar="ID")
@with_client
def approve(client: Client, as_json: bool, approval: str) -> None:
    """Approve a request. ID is its own ID or the ID of its job."""
    print_answer(client.request("POST", "api", "approvals", approval, "approve"), as_json, _print_request)


@click.command()
@click.argument("approval", metavar="ID")
@click.option("--reason", default="", help="Reason, which is kept with the job.")
@with_client
def reject(client: Client, as_json: bool, approval: str, reason: str) -> None:
    """Reject a request; its job is cancelled.

    ID is the ID of the request or of its job.
    """
    rejected = client.request("POST", "api", "approvals", approval, "reject", body={"reason": reason})
    print_answer(rejected, as_json, _print_request)


def _print_request(request: Any) -> None:
    click.echo(f"{request['approval_id']} of job {short(request['job_id'])}: {request['status']}")
