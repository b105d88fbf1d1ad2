"""How much memory of GPUs a job needs, by the model that it runs.

    size(ask, Cards())       what a submission says, sized: GPUs or bytes, and the arithmetic
    match(name)              the shape of a model that goes by this name
    estimate(model, mode)    each term in bytes
    fit(estimate, memory)    a share of a card, or whole cards
    corrected(estimate, runs)    by what earlier runs really used

Each is in the module of its purpose: `sizing`, `names`, `formula`, `fitting`, `measured`.
"""
