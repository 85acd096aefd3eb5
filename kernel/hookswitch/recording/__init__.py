"""Recording: what legs say and hear, and what rooms sound like, in files.

A recording's ears are ports of the ring bank that only listen, tapped by edges or members of a
room. A *recorder*, a worker process of its own kind, reads all their rings, writes the files and
hands them to storages. The control process opens the ports; it never touches a sample.
"""
