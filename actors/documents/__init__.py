"""The JSON documents of answers: one file for each subject, with the types of its documents and the functions that make
them.

The OpenAPI document is generated from the types. Field names are promises. Times are UTC texts with milliseconds and
``Z`` (``Moment``), money is US dollars, memory is bytes, durations are seconds. A field that does not apply is null,
never absent.
"""
