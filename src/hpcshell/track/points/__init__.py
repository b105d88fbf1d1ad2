"""The points of metrics: taken in by the thousand, kept raw, shown down-sampled."""
