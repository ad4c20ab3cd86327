"""Static files under hashed, compressed names, ES module imports included."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedModuleStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Also rewrites `import "./other.js"` to the hashed name, which Django leaves off by default.

    Source: Django documentation, `ManifestStaticFilesStorage.support_js_module_import_aggregation`.
    """

    support_js_module_import_aggregation = True
