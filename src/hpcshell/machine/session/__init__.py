"""Runs in a named session of GNU screen or tmux, which people join and leave.

The run's first process is the host (`host`): it has the job on a terminal of its own, copies what
the job prints to its output file, and ends as the job does. screen or tmux only shows that
terminal: in its window runs a viewer (`view`) that speaks to the host over a socket. So whatever
becomes of screen or tmux, the job, its output and its exit code are out of reach; a session that
was killed is opened anew. Nobody waits for a viewer: one that is slow is not shown everything.

Only the standard library is loaded by host and viewer, for they are started with every such run.
"""
