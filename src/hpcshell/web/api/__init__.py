"""The routes of `/api/v1`, a module for each noun, whose `handlers` are collected by `web.app`."""
