"""A page of made-up figures that shows every part of the design system, for tests only (KEQUN_PAGES)."""

from kequn.web.navigation import Page

PAGE = Page("gallery", "gallery/", "Gallery", icon="layout-dashboard", step="segment")
