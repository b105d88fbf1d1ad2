"""Studies of many runs: what has run once never runs twice, and what broke off goes on."""
