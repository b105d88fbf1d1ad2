"""The language in which lists are asked for: `metrics.loss < 0.5 and params.lr = '0.1'`."""
