"""The addresses of this app."""

from django.urls import URLPattern, path

from arena import views

urlpatterns: list[URLPattern] = [path("", views.battle, name="battle")]
