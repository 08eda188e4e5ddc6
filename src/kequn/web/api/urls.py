"""`/api/v1/…`; who asks is found out by the key, not by a session, so the sign-in page never answers here."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt

from kequn.web.api.failures import no_such_address
from kequn.web.api.v1 import api

addresses, _app, _namespace = api.urls
for address in addresses:
    if isinstance(address, URLPattern):
        login_not_required(address.callback)

urlpatterns = [
    path("v1/", (addresses, "ninja", "api-1")),
    re_path(r"^(?P<path>.*)$", csrf_exempt(login_not_required(no_such_address))),
]
