"""The ``slurm.conf`` of a cluster on loopback, and what tests change of it."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs


@attrs.frozen
class Parameters:
    """What tests change of ``slurm.conf``; times in seconds. Each node claims ``cpus`` and ``gpus`` that it lacks.

    The defaults make a cluster quick: with Slurm's own a start takes up to 3 s, and a time-out 10.
    """

    nodes: int = 1
    cpus: int = 8
    gpus: int = 2
    memory_mb: int = 8000
    min_job_age: int = 300
    kill_wait: int = 2
    message_timeout: int = 2
    inactive_limit: int = 0
    slurmd_timeout: int = 300
    more: Mapping[str, str] = attrs.field(factory=dict)

    def text(self, folder: Path, ctld_port: int, slurmd_ports: Sequence[int]) -> str:
        user = getpass.getuser()
        lines = {
            "ClusterName": "greenroom",
            "SlurmctldHost": "localhost(127.0.0.1)",
            "SlurmUser": user,
            "SlurmdUser": user,
            "AuthInfo": f"socket={folder}/munge/socket",
            "CredType": "cred/munge",
            "StateSaveLocation": f"{folder}/state",
            "SlurmdSpoolDir": f"{folder}/spool-%n",
            "SlurmctldPidFile": f"{folder}/slurmctld.pid",
            "SlurmdPidFile": f"{folder}/slurmd-%n.pid",
            "SlurmctldPort": str(ctld_port),
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "ReturnToService": "2",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core",
            "SlurmdParameters": "config_overrides",  # else a node with fewer CPUs than it claims is drained
            "AccountingStorageType": "accounting_storage/none",
            "SchedulerParameters": "sched_min_interval=0,batch_sched_delay=0,sched_interval=1,bf_interval=1",
            "MinJobAge": str(self.min_job_age),
            "KillWait": str(self.kill_wait),
            "MessageTimeout": str(self.message_timeout),
            "InactiveLimit": str(self.inactive_limit),
            "SlurmdTimeout": str(self.slurmd_timeout),
            **({"GresTypes": "gpu"} if self.gpus else {}),
            **self.more,
        }
        gres = f" Gres=gpu:{self.gpus}" if self.gpus else ""
        size = f"CPUs={self.cpus} RealMemory={self.memory_mb}{gres}"
        nodes = [
            f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} {size}\n"
            for name, port in zip(self.node_names, slurmd_ports, strict=True)
        ]
        partition = f"PartitionName=debug Nodes={','.join(self.node_names)} Default=YES MaxTime=INFINITE State=UP\n"
        return "".join([*(f"{key}={value}\n" for key, value in lines.items()), *nodes, partition])

    @property
    def node_names(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]
