"""Backup of a runtime into one file, and a new runtime from it (F3).

``taking`` writes an archive (``archive``) of a copy of the database, the configuration and the key files that it names;
``restoring`` makes a state directory of one. What the restore means for the jobs is :mod:`actors.ledger.restoring`.
"""
