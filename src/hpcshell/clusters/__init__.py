"""Clusters of other schedulers behind the same verbs as this machine's.

    desk = desks.open_desk("mycluster", settings, places)
    desk.call("submit", submissions=[spec])
    desk.call("queue", limit=100, offset=0)

A desk takes the verbs that the daemon takes and answers with the same documents. What runs at a
site is the site's to say; what was submitted, in which parts, and how it ended is in the ledger.
"""
