"""Who is calling, what they may do, and what no request may be."""
