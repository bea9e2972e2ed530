"""`python -m logconf trace ID FILE...`: one piece of work, followed through the log files, as a timeline.

`reading` finds the lines in bounded memory; `command` is the command line and shows them.
"""
