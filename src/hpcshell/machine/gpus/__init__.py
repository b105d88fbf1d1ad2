"""The cards of this machine: who tells of them, and how they are asked without waiting for them.

`contract` says what is asked, `nvml`, `amd` and `fake` answer. They are called in a process of
their own alone (`sampler`, `python -m hpcshell.machine.gpus`), for a driver may never return;
`feed` is the scheduler's end of its pipe.
"""
