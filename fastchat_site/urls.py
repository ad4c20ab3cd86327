"""The addresses of the site, one `include` an app."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

admin.site.site_header = admin.site.site_title = "FastChat Site"

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("leaderboard.urls")),
    path("", include("chat.urls")),
    # Behind the others: it answers for every address under /v1/ that nobody else has.
    path("", include("inference.urls")),
    path("", include("arena.urls")),
    path("", include("fastchat_site.page_urls")),
]
