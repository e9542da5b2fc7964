"""Send an exported folder to the Hugging Face Hub; only ever when asked."""

from __future__ import annotations

from pathlib import Path

from exchange.errors import UserError


def send(folder: Path, repository: str, *, public: bool) -> str:
    """Create the dataset repository if need be, upload the folder, and say where it is.

    Raises:
        UserError: the extra is not installed, nobody is logged in, or the Hub refused.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError
    except ImportError:
        raise UserError("--push needs the Hub: run `pip install 'kkoracle[hub]'`") from None
    api = HfApi()
    try:
        url = api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True)
        api.upload_folder(repo_id=repository, repo_type="dataset", folder_path=folder)
    except LocalTokenNotFoundError:
        raise UserError("nobody is logged in: run `hf auth login` first") from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(f"the Hub refused: {str(error).splitlines()[0]}") from None
    return f"sent to {url}"
