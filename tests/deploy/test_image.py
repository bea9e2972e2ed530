"""The container file and the unit, tried as far as a machine without podman and systemd allows.

Shown: every step of the container file, in its order, in a root of its own; the program that comes of it, with the
versions that are pinned, started as the image starts it; and the same program started as the unit starts it: its
command line, environment, user, directories, mask and limits, without capabilities, with sd_notify. Not shown: the
base image, for which this system stands; systemd's restarts, its watchdog and the mounts of its Protect settings.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.deploy.image_root import PIP, PLAIN, ROOT, ImageRoot, Stage, copied, image_root, steps, why_not

pytestmark = [pytest.mark.parts, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]
DEPLOY = ROOT / "examples" / "deploy"
UNIT = (DEPLOY / "greenroom.service").read_text()
SECONDS = 60


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The image of the container file."""
    stages: dict[str, Stage] = {}
    with ExitStack() as opened:
        for number, (word, rest) in enumerate(steps((DEPLOY / "Containerfile").read_text())):
            if word == "FROM":
                base, _, name = rest.partition(" AS ")
                assert re.fullmatch(r"docker\.io/library/python:3\.1[1-9]-slim", base), base
                try:
                    root = opened.enter_context(image_root(tmp_path_factory.mktemp("image") / "base"))
                except OSError as error:
                    pytest.skip(f"this system allows no such root: {error}")
                stage = stages[name or str(number)] = Stage(root)
            else:
                done(stage, word, rest, stages)
        yield stage


def done(stage: Stage, word: str, rest: str, stages: dict[str, Stage]) -> None:
    """Do one instruction. One that is not known here fails the test."""
    if word == "WORKDIR":
        stage.directory = rest
        stage.root.run("mkdir", "-p", rest, env=PLAIN)
    elif word == "COPY":
        *sources, target = shlex.split(rest)
        of = stages[sources.pop(0).removeprefix("--from=")].root if sources[0].startswith("--from=") else None
        copied(stage, sources, target, of)
    elif word == "RUN":
        stage.root.run("sh", "-c", f"cd {shlex.quote(stage.directory)} && {rest}", env={**stage.env, **PIP})
    elif word == "ENV":
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            stage.env[name] = value.replace("$PATH", stage.env["PATH"])
    elif word == "USER":
        stage.user = rest
    elif word == "HEALTHCHECK":
        stage.health = json.loads(rest.partition("CMD ")[2])
    elif word == "CMD":
        stage.command = json.loads(rest)
    else:
        assert word in ("VOLUME", "STOPSIGNAL"), f"{word} is not tried here"


def as_user(user: str) -> list[str]:
    return ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]


@contextmanager
def running(root: ImageRoot, words: Sequence[str], env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program inside, that is ended by SIGTERM; its exit status is checked."""
    script = f"echo $$ > /run/started.pid; exec {shlex.join(words)}"
    program = subprocess.Popen(
        root.command("sh", "-c", script, env=env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert program.stdout is not None
    with program.stdout:  # which its jobs have open, too, and keep open
        lines: list[str] = []
        while "Supervisor is ready" not in "".join(lines[-1:]):
            lines.append(program.stdout.readline())
            assert lines[-1], f"it ended before it was ready: {lines}"
        try:
            yield program
        finally:
            root.run("sh", "-c", "kill -TERM $(cat /run/started.pid)", env=PLAIN)
            program.wait(SECONDS)
    assert program.returncode == 0


def test_the_steps_of_the_container_file_make_an_image_that_works(image: Stage) -> None:
    words = [*as_user(image.user), *image.command]
    with running(image.root, words, image.env):
        health = image.root.run(*as_user(image.user), *image.health, env=image.env)
    assert b'"scheduler"' in health
    owner = image.root.run("stat", "-c", "%U %a", image.env["GREENROOM_HOME"], env=PLAIN).decode().split()
    assert owner == ["greenroom", "700"]


def test_what_the_image_installs_is_pinned(image: Stage) -> None:
    """Every package in it, those that others need included."""
    pins = dict(line.split("==") for line in (ROOT / ".ci/constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    listed = image.root.run("/opt/greenroom/bin/pip", "list", "--format", "json", env={**PLAIN, **PIP})
    installed = {re.sub(r"[-_.]+", "-", one["name"]).lower(): one["version"] for one in json.loads(listed)}
    others = {"pip", "setuptools", "greenroom"}
    assert installed.keys() > {"trio", "hypercorn", "greenroom"}
    assert {name: pinned.get(name) for name in installed.keys() - others} == {
        name: version for name, version in installed.items() if name not in others
    }


def test_the_extras_need_nothing_that_is_not_there(image: Stage) -> None:
    asked = ["install", "--no-index", "greenroom[ray,slurm,replicate]"]
    said = image.root.run("sh", "-c", f"/opt/greenroom/bin/pip {shlex.join(asked)} 2>&1", env=PLAIN).decode()
    assert "does not provide the extra" not in said
    assert "Successfully installed" not in said


def of_unit(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def directories(root: ImageRoot, user: str) -> dict[str, str]:
    """Make the directories of the unit as systemd makes them; the variables with their paths."""
    variables = {}
    for kind, parent in (("State", "/var/lib"), ("Logs", "/var/log"), ("Runtime", "/run")):
        (name,) = of_unit(f"{kind}Directory")
        (mode,) = of_unit(f"{kind}DirectoryMode") or ["0755"]
        path = f"{parent}/{name}"
        root.run("install", "-d", "-o", user, "-g", user, "-m", mode, path, env=PLAIN)
        variables[f"{kind.upper()}_DIRECTORY"] = path
    return variables


def test_the_unit_starts_the_program_and_keeps_its_jobs(image: Stage) -> None:
    """ExecStart as systemd runs it: READY is sent, the page served, the log written; a job outlives the stop."""
    root, (user,) = image.root, of_unit("User")
    env = {**PLAIN, "HOME": "/var/lib/greenroom", "USER": user, "LOGNAME": user, **directories(root, user)}
    env |= dict(pair.split("=", 1) for pair in of_unit("Environment"))
    root.run("tee", "/etc/greenroom.yaml", env=PLAIN, content=b"http: {port: 0}\n")
    root.run("mkfifo", "-m", "666", "/tmp/up", env=PLAIN)
    (start,), (mask,), (files,) = of_unit("ExecStart"), of_unit("UMask"), of_unit("LimitNOFILE")
    soft, hard = map(int, files.split(":"))
    here = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # which nobody here may be allowed to raise
    limits = ["prlimit", f"--nofile={min(soft, here)}:{min(hard, here)}"]
    secure = [*as_user(user), "--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all"]
    ask = [*as_user(user), "/opt/greenroom/bin/greenroom"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"greenroom-test-{os.getpid()}"
        manager.bind(f"\0{name}")
        manager.settimeout(SECONDS)
        notify = {**env, "NOTIFY_SOCKET": f"@{name}"}
        words = ["sh", "-c", f"umask {mask}; exec {shlex.join([*limits, *secure, *shlex.split(start)])}"]
        with running(root, words, notify):
            assert b"READY=1" in manager.recv(4096)
            job = ["sh", "-c", "echo up > /tmp/up; exec sleep 3600"]
            root.run(*ask, "submit", "--name", "long", "--cwd", "/", "--", *job, env=env)
            assert root.run("cat", "/tmp/up", env=PLAIN) == b"up\n"  # it waits until the job is there
            link = re.findall(r"http://127.0.0.1:\d+/\S+", root.run(*ask, "open", env=env).decode())[0]
            with urllib.request.urlopen(link, timeout=SECONDS) as page:
                assert b"<title>" in page.read()
            status = root.run("sh", "-c", "cat /proc/$(cat /run/started.pid)/status", env=PLAIN).decode()
            assert re.search(r"^CapBnd:\s*0+$", status, re.MULTILINE)
    log = "/var/log/simpletuner/cloud.log"
    assert root.run("stat", "-c", "%U", log, env=PLAIN).decode().strip() == user
    assert b"Supervisor is ready" in root.run("cat", log, env=PLAIN)
    assert b"sleep 3600" in root.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", env=PLAIN)
    assert json.loads(root.run(*ask, "show", "long", "--json", env=env))["completed_at"] is None


def test_the_documentation_that_the_unit_names_is_installed(image: Stage) -> None:
    (place,) = of_unit("Documentation")
    assert image.root.run("head", "-n", "1", place.removeprefix("file://"), env=PLAIN).startswith(b"# ")


def test_the_unit_has_the_directories_that_its_settings_use() -> None:
    assert of_unit("RuntimeDirectory") == ["greenroom"]
    assert of_unit("Delegate") == ["yes"]
    home = next(pair for pair in of_unit("Environment") if pair.startswith("GREENROOM_HOME="))
    assert Path(home.partition("=")[2]).name == of_unit("StateDirectory")[0]
