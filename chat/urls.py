"""The addresses of this app."""

from django.urls import URLPattern, path, re_path

from chat import views
from chat.api.moderations import Moderations

CONVERSATION = r"^chat/(?P<public_id>[0-9a-f]{32})/"

urlpatterns: list[URLPattern] = [
    path("v1/moderations", Moderations.as_view(), name="api-moderations"),
    path("chat/", views.chat, name="chat"),
    re_path(CONVERSATION + r"$", views.chat, name="conversation"),
    re_path(CONVERSATION + r"rename/$", views.rename, name="rename-conversation"),
    re_path(CONVERSATION + r"delete/$", views.delete, name="delete-conversation"),
    re_path(CONVERSATION + r"export\.(?P<kind>json|md)$", views.export, name="export-conversation"),
]
