"""The web server: a REST API over all of HPCShell and the tracker; a client of the daemon."""
