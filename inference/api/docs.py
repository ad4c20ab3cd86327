"""The page that shows the API's description, with its files served from here."""

from drf_spectacular.views import SpectacularSwaggerSplitView


class ApiDocs(SpectacularSwaggerSplitView):
    """Swagger UI without inline scripts or styles, as the content security policy wants it."""

    template_name = "inference/api_docs.html"
    url_name = "api-schema"
