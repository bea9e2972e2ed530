"""Who may do what over the network: tokens, sign-in, levels, and the one table of what each route needs.

``policy``: the permission of each route. ``peer``: a caller and its rights. ``hosts``: which names and origins are this
server's. ``sessions``: tokens and sessions. The HTTP guard (``actors.api.guard``) and the event feed both use it.
"""
