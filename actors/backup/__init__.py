"""A backup is one file that holds a whole runtime; a restore makes a new runtime from it (F3).

``taking`` writes the file (an archive, see ``archive``): a copy of the database, the configuration and the key files
that the configuration names. ``restoring`` makes a state directory from such a file. What a restore changes in the rows
of the jobs is decided in :mod:`actors.ledger.restoring`.
"""
