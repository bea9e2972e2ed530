"""Simulated jobs for trying things out and for tests. How long they take, how they end and what goes wrong can be set.

::

    remote = ScriptedRemote(clock.now)
    provider = ScriptedProvider(ScriptedOptions(gpus=2), remote)
    remote.inject(Fault(FaultKind.DOWN, times=None, until=7200))    # down for the first two hours
    request = JobRequest(provider="scripted", spec={"duration": 60, "faults": {"submit": ["lost_answer"]}})

To simulate a restart of our process, open another provider on the same remote. The remote remembers all calls
(``remote.calls``) and all jobs that it accepted (``remote.runs``).
"""

from actors.providers.scripted.faults import Fault, FaultKind, Refusal
from actors.providers.scripted.options import ScriptedOptions
from actors.providers.scripted.provider import ScriptedProvider
from actors.providers.scripted.remote import Asked, Call, Run, ScriptedRemote
from actors.providers.scripted.script import Ending, Script, read_script

__all__ = [
    "Asked",
    "Call",
    "Ending",
    "Fault",
    "FaultKind",
    "Refusal",
    "Run",
    "Script",
    "ScriptedOptions",
    "ScriptedProvider",
    "ScriptedRemote",
    "read_script",
]
