"""The JSON documents of answers: one file for each subject, with the types of its documents and the functions that make
them.

The OpenAPI document is generated from the types. A record that is shown with all of its fields needs no type here: its
own class is the type. Field names are promises. Times are written in UTC with milliseconds and ``Z``, money is US
dollars, memory is bytes, durations are seconds. A field that does not apply is null, never absent.
"""
