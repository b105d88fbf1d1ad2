"""Pages for people: what they are made of, and who serves them."""
