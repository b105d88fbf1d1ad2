"""OpenPBS, PBS Pro and Torque."""

from hpcshell.backends.pbs.backend import PbsBackend as PbsBackend
