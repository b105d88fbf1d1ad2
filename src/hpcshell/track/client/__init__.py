"""What runs within a training script: a file for each process, and a thread that sends it.

Nothing here raises into training, and nothing waits for the network but the end of a run, for a
few seconds.
"""
