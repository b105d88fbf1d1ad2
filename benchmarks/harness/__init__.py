"""What the benchmark programs share: turns, CPU accounting, arithmetic, tables."""
