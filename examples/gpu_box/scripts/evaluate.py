"""Stands for an evaluation: says what it was given."""

import os
import sys

print("evaluate", *sys.argv[1:])
print("cards", os.environ.get("CUDA_VISIBLE_DEVICES"), "share", os.environ.get("HPC_GPU_SHARE"))
