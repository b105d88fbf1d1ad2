"""Points that follow from the results of earlier ones.

    check(search)                           refuses what could never be searched
    searcher(search, log).ask(4)            the next trials, by what the log holds
    proceed(search, log, running, limit)    how many to ask now, whom to stop, whether it is over
    pareto(trials, directions)              those that none is better than

The log of trials is all there is: whoever drives a search may be killed at any moment and goes on
from it. Each is in the module of its purpose: `checks`, `searcher`, `driver`, `trials`. Only
`studies` and `cma` need Optuna, and only a searcher loads them.
"""
