"""The process that tells people: mail, webhooks, the desktop."""
