"""The shim: one small process for each job, which outlives the supervisor and writes down how the job ended.

    python -I -S .../local/shim/__main__.py DIRECTORY [DEVICES [NUMBER [CGROUP]]]

It is started by this command line, or forked from a zygote that has it loaded (:mod:`.zygote`), and is the same then.
DIRECTORY holds ``spec.json``; NUMBER device leases are open from descriptor 3 on, and DEVICES is what the job may see
of the GPUs (a comma-separated list, "" for none, "-" to leave it alone). CGROUP is the folder of a control group to
make for the job's processes ("": none). The shim's own output is the job's log. It is run by itself, with the standard
library only and few imports: its memory and its start are paid once a job.

The way of one job, in the order of :mod:`.job`, and what is known of it when the shim is killed after that step and
before the next one (SIGKILL; a power cut ends all processes, too):

1. *Lock taken*: of ``lock``, before anything is looked at, held for life. Killed here, the lock is free: the supervisor
   starts another shim, which begins anew.
2. *Program forked*: it waits at a gate, in its control group. Killed here, the program ends with its shim (by
   ``PR_SET_PDEATHSIG``, and because its gate closes): nothing ran. The next shim uses the same, empty group.
3. ``run.json`` *written*. Killed here, nothing ran, but nobody can tell that from a program that was started: the free
   lock beside ``run.json``, without ``exit.json``, means that the job is lost.
4. ``.started-KEY`` *made*, beside the directory, and synced. Killed here: the same.
5. *Gate opened*: the program runs. Killed here, its processes run on, and so does the drainer of its output. The job is
   lost; what is left of it is ended by the supervisor, and its devices stay taken until nothing of the job is left.
6. *The last process has gone*. Killed here: lost as well, though it had ended.
7. *The end noted* in ``.started-KEY``. Killed here, the job has ended as the note says.
8. ``exit.json`` *written*, in one step. The shim leaves, and with it the lock.

What holds, whenever anybody is killed:

- The process that has the lock is the shim. One that finds ``run.json``, ``exit.json`` or ``.started-KEY`` leaves: a
  program is run at most once, however many shims start.
- Before the gate opens, ``.started-KEY`` is made beside the directory, where nobody else may make it, and says who runs
  the job; at the end it says how it ended (:mod:`.note`). So a job that removes or forges its own files is not run a
  second time, and is not called ended while a process of it lives.
- What the program can touch is opened relative to a descriptor of the directory from before its start (:mod:`.files`).
- The cancel intent is read after ``run.json`` is written, so an intent written by somebody who found no process to
  signal is still obeyed.
- What the program writes goes through a pipe that a process of the shim's own empties into the log (:mod:`.log_pipe`).
- Each process of a job gets SIGTERM once, whenever it is found, before the grace time ends (:mod:`.process_tree`).
- The job's own processes end before ``exit.json`` is written, background ones and daemons too: the shim is their
  subreaper. ``exit.json`` goes into space reserved at submission, so a full disk cannot lose it.
"""

RECORD_SIZE = 4096  # bytes; the size of the exit record, reserved at submission
STARTED = ".started-"  # before the key: the file, beside the directory, that says that the program was let go
