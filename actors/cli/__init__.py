"""The command line: it turns arguments into settings and requests, and answers into tables or JSON.

``greenroom`` and ``python -m actors`` are the same. Exit statuses: 0; 1 if something was refused or failed; 2 for wrong
usage or invalid input, in which case nothing was changed. Client commands find the supervisor through the socket in the
state directory. Modules that take long to import are imported inside the command that needs them.
"""

from actors.cli.group import main

__all__ = ["main"]
