"""What answers hold, as JSON: a file a subject, each with its documents' types and the functions that make them.

The OpenAPI document is generated from the types. Field names are promises. Times are UTC texts with milliseconds and
``Z`` (``Moment``), money is US dollars, memory is bytes, durations are seconds. A field that does not apply is null,
never absent.
"""
