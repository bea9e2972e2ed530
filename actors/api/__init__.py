"""The HTTP edge: what :mod:`actors.control` offers, as routes, answers and event streams.

It knows ``actors.control`` alone; deleted, jobs still run. ``app`` puts the routes together, ``server`` is the guarded
server on a Unix socket, ``documents`` says what every answer looks like. Nothing is imported here: the command line
reads ``socket_file`` without loading a web framework.
"""
