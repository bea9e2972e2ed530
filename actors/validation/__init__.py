"""Data from outside into attrs classes, strictly: every problem at once, each with its place.

    root = document(content, "app.yaml")            # CheckedError: syntax, duplicate keys, aliases gone wild
    server = INPUT.read(root, Server)               # CheckedError, one line for each problem, such as
                                                    # app.yaml:2:3: http.port: must be a whole number, not '80a'
    server = INPUT.read(json.loads(body), Server)   # the same from JSON: no place, only the key's path

Nothing is coerced: ``"12"`` is not a number, 1.9 no whole number, True neither. Unknown keys are refused
with a suggestion. Ranges and formats of one field are its attrs validators (a ``ValueError`` says what is wrong), which
run as soon as that field has its type, whatever is wrong with others. Rules over several fields stand in
``__attrs_post_init__``, which runs only where every field is good. A type that is written in another way than JSON has
it is ``Annotated[int, Format(...)]``: ``Format.read`` is how it is read, ``Format.schema`` what OpenAPI says of it.
Durations and sizes have the types of :mod:`actors.jobs.quantities`; a duration's key may be written without its unit
(``timeout: 2h`` for the field ``timeout_hours``), and a bare number is then seconds.

    converter = StrictConverter({Server: Shape(names={"listen": "port"}, hidden={"secret"}, types={"port": Port})})
    converter.tagged_union(Subscribe | Ack, {"subscribe": Subscribe, "ack": Ack})     # by the key "type"
    converter.read({"limit": plain_value("20")}, Query)     # texts of a query or of the environment, as YAML has them

A :class:`Shape` says how a class is written where that differs from its fields; ``converter.shapes`` has them for who
describes the classes. Make a converter once and keep it: it generates its code when a class is first read.

Plain scalars of YAML follow the core schema of version 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema); what readers
of version 1.1 would take for something else must be put in quotes, and dates are texts. JSON is read as the YAML it is.
"""

from actors.validation.converter import INPUT, Shape, StrictConverter
from actors.validation.files import document, read_bytes
from actors.validation.marked import as_written, join, plain_value
from actors.validation.problems import CheckedError, Place, Problem, Problems
from actors.validation.values import Format, Wrong

__all__ = [
    "INPUT",
    "CheckedError",
    "Format",
    "Place",
    "Problem",
    "Problems",
    "Shape",
    "StrictConverter",
    "Wrong",
    "as_written",
    "document",
    "join",
    "plain_value",
    "read_bytes",
]
