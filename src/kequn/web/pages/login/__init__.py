"""Signing in and out, the second step, forgotten passwords, and the first administrator."""

from kequn.web.navigation import Page

PAGE = Page("login", "login/")
