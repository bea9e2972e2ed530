"""YAML that is checked: a file or plain data into attrs classes, every fault at once, each with its place.

    document = read_file(Path("app.yaml"))          # CheckedError: syntax, duplicate keys, aliases gone wild
    reader = Reader()
    server = reader.convert(document, Server, "")   # faults are collected, nothing is raised
    reader.faults.check()                           # CheckedError, one line for each fault, such as
                                                    # app.yaml:2:3: http.port: must be a whole number, not '80a'

Types are strict: ``"12"`` is no number, 1.9 no whole number, ``no`` and ``010`` are refused where they could be read in
two ways, dates are texts. Plain scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema);
what YAML 1.1 readers would take for something else must be put in quotes. JSON is read as the YAML it is.
"""

from actors.validation.data import from_data
from actors.validation.faults import CheckedError, Fault, Faults, Place
from actors.validation.files import document, read_bytes, read_file
from actors.validation.nodes import Entry, Listing, Mapping, Node, Scalar, is_nothing, join, shown
from actors.validation.reader import FAULTY, Reader, Shape
from actors.validation.scalars import resolve

__all__ = [
    "FAULTY",
    "CheckedError",
    "Entry",
    "Fault",
    "Faults",
    "Listing",
    "Mapping",
    "Node",
    "Place",
    "Reader",
    "Scalar",
    "Shape",
    "document",
    "from_data",
    "is_nothing",
    "join",
    "read_bytes",
    "read_file",
    "resolve",
    "shown",
]
