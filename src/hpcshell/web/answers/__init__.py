"""How answers are found and given: pages, files, streams, and errors as RFC 9457 has them."""
