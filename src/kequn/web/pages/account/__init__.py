"""One's own settings: profile, password, two-step sign-in, sessions, API keys."""

from kequn.web.navigation import Page

PAGE = Page("account", "account/")
