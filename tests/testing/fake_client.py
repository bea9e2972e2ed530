"""A client of the fake Replicate in the same process."""

from __future__ import annotations

AUTH = {"authorization": "Bearer t0ken"}
VERSION = "ana/trainer:5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"


async def create(client, **given):
    answer = await client.post("/v1/predictions", json={"version": VERSION, "input": {"fake": given}})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def read(client, job, kind="predictions"):
    return (await client.get(f"/v1/{kind}/{job['id']}")).json()
