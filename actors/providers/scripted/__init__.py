"""Simulated jobs for trying things out and for tests: given durations, ends, capacities, pushes and faults.

::

    remote = ScriptedRemote(clock.now)
    provider = ScriptedProvider(ScriptedOptions(gpus=2), remote)
    remote.inject(Fault(FaultKind.DOWN, times=None, until=7200))    # down for the first two hours
    request = JobRequest(provider="scripted", spec={"duration": 60, "faults": {"submit": ["lost_answer"]}})

A restart of our process is another provider on the same remote, which remembers what it was asked
(``remote.calls``) and what it accepted (``remote.runs``).
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
