"""A folder handed on through the hub."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from inference.exceptions import ConversionError


def upload_folder(folder: Path, repository: str) -> str:
    """Put a folder's files into a repository of the hub, made private where it is new.

    The hub's own token of this machine is used (`HF_TOKEN`, or `hf auth login`).

    Args:
        folder: what to upload.
        repository: as `owner/name`.

    Returns:
        The repository's address.

    Raises:
        ConversionError: the hub refuses or cannot be reached; the folder stays as it is.
    """
    api = HfApi()
    try:
        address = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repository)
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ConversionError(
            f"{folder} could not be uploaded to {repository!r}: {type(error).__name__}; log in with"
            " `hf auth login`, or upload the folder by hand"
        ) from error
    return str(address)
