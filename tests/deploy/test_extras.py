"""What is installed for what: the two packages that work alone, and the extras."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 180
OF_TRIO = {"trio", "attrs", "sortedcontainers", "idna", "outcome", "sniffio"}
PROGRAM = """
import json, sys, trio
from logconf import configure_structured_logging, get_logger
from supervision import ChildSpec, open_supervisor

async def child(*, task_status):
    get_logger("child").info("at work", extra={"step": 1})
    task_status.started()
    await trio.sleep_forever()

async def main():
    async with open_supervisor([ChildSpec("one", child)]) as supervisor:
        print(json.dumps([one.state for one in supervisor.children()]), file=sys.stderr)

configure_structured_logging()
trio.run(main)
"""


@pytest.mark.parts
def test_supervision_and_logconf_need_trio_attrs_and_orjson_alone(tmp_path: Path) -> None:
    """In an environment that has nothing else."""
    environment = tmp_path / "venv"
    try:
        venv.create(environment, with_pip=True)
    except subprocess.CalledProcessError:
        pytest.skip("this Python cannot make environments (Debian: python3-venv)")
    python = environment / "bin" / "python"
    pins = ["-c", str(ROOT / ".ci" / "constraints.txt")]
    install = [python, "-m", "pip", "install", "-q", *pins, "trio", "attrs", "orjson"]
    subprocess.run(install, check=True, timeout=SECONDS)
    packages = tmp_path / "packages"
    for name in ("supervision", "logconf"):
        shutil.copytree(ROOT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    environ = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run(
        [python, "-c", PROGRAM], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, '["running"]')
    line = json.loads(done.stdout.splitlines()[0])
    assert (line["message"], line["extra"]) == ("at work", {"step": 1})
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, timeout=SECONDS, check=True
    )
    assert {one["name"].lower() for one in json.loads(listed.stdout)} <= OF_TRIO | {"orjson", "pip", "setuptools"}


@pytest.mark.parametrize("package", ["supervision", "logconf"])
def test_neither_imports_anything_else(package: str) -> None:
    """The same without an environment: what is loaded beside the standard library."""
    code = f"import sys; before = set(sys.modules); import {package}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    ours = {"supervision", "logconf", "orjson", *OF_TRIO, "attr"}
    assert loaded - ours <= sys.stdlib_module_names | {"_cffi_backend", "__mp_main__"}


def test_the_extras_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"ray", "slurm", "replicate"} <= project["optional-dependencies"].keys()
