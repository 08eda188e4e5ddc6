from __future__ import annotations

from django.urls import path

from kequn.web.pages.customers import follow_up, spending, tagging, views

app_name = "customers"
urlpatterns = [
    path("", views.index, name="index"),
    path("<str:customer_id>/", views.card, name="card"),
    path("<str:customer_id>/why/", views.why, name="why"),
    path("<str:customer_id>/history/", views.history, name="history"),
    path("<str:customer_id>/spending/", spending.chart, name="spending"),
    path("<str:customer_id>/tags/", tagging.change, name="tags"),
    path("<str:customer_id>/drivers/", follow_up.drivers, name="drivers"),
    path("<str:customer_id>/outcome/", follow_up.outcome, name="outcome"),
    path("<str:customer_id>/unmask/", views.unmask, name="unmask"),
]
