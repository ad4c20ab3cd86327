"""Pages that belong to the site as a whole."""

from django.urls import URLPattern, path

from fastchat_site import views

urlpatterns: list[URLPattern] = [
    path("about/", views.about, name="about"),
    path("favicon.ico", views.favicon, name="favicon"),
]
