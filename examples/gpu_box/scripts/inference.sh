#!/bin/sh
# Stands for an inference.
echo "inference $* on card ${CUDA_VISIBLE_DEVICES:-none}"
