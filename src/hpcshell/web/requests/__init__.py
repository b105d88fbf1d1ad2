"""What requests say: their addresses, parameters and bodies, and what is refused of them."""
