"""The command line `hpc`: one file a verb, words for people, nothing else."""
