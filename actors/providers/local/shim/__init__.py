"""The shim: one small process for each job, which outlives the supervisor and writes down how the job ended.

    python -I -S .../local/shim/__main__.py DIRECTORY [DEVICES [NUMBER [CGROUP]]]

DIRECTORY holds ``spec.json``; NUMBER device leases are open from descriptor 3 on, and DEVICES is what the job may see
of the GPUs (a comma-separated list, "" for none, "-" to leave it alone). CGROUP is the folder of a control group to
make for the job's processes ("": none). The shim's own output is the job's log. It is run by itself, with the standard
library only and few imports: its memory and its start are paid once a job.

What holds, whenever anybody is killed:

- Whoever holds the lock of ``lock`` is the shim; the lock is taken before anything is looked at and kept for life.
  A shim that finds ``run.json`` or ``exit.json`` leaves: a program is run at most once, however many shims start.
- The program waits at a gate until ``run.json`` is on disk. A shim killed before that took its program with it and
  nothing ran; killed after it, the free lock beside ``run.json`` without ``exit.json`` proves that the job is lost.
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
