"""Who may do what over the network: tokens, sign-in, levels, and the permission of each route.

``permission``: the permissions of routes. ``peer``: a caller and its rights. ``hosts``: which names and origins belong
to this server. ``sessions``: tokens and sessions. The HTTP guard (``actors.api.guard``) and the event feed use all of
it.
"""
