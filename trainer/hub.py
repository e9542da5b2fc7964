"""Send folders to the Hugging Face Hub; only ever when asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exchange.errors import MissingExtra, NotAllowed, Unreachable
from exchange.machine import install_command


def upload_folder(
    folder: Path,
    repository: str,
    *,
    public: bool,
    kind: Literal["dataset", "model"] = "dataset",
    to: str = ".",
) -> str:
    """Create the repository if need be, upload the folder in one commit, and say where it is.

    What reached the Hub before an upload broke off is not sent a second time.

    Args:
        to: folder in the repository.

    Raises:
        UserError: the extra is not installed, nobody is logged in, or the Hub refused.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError
    except ImportError:
        raise MissingExtra(f"this needs the Hub: {install_command('hub')}") from None
    api = HfApi()
    try:
        url = api.create_repo(repository, repo_type=kind, private=not public, exist_ok=True)
        if not public and api.repo_info(repository, repo_type=kind).private is False:
            raise NotAllowed(f"{repository} is public already: give --public if that is meant")
        api.upload_folder(repo_id=repository, repo_type=kind, folder_path=folder, path_in_repo=to)
    except (LocalTokenNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        refused = getattr(getattr(error, "response", None), "status_code", 0)
        if isinstance(error, LocalTokenNotFoundError) or refused in (401, 403):
            raise Unreachable(
                f"nobody is logged in who may write to {repository}: run `hf auth login`"
            ) from None
        raise Unreachable(f"the Hub refused: {str(error).splitlines()[0]}") from None
    return f"sent to {url}"


@dataclass(frozen=True, slots=True)
class HubUpload:
    """What would be sent to the Hub, to be looked at before: folders and where each goes."""

    repository: str
    public: bool
    folders: tuple[tuple[Path, str], ...]

    def files(self) -> list[tuple[str, int]]:
        """Paths in the repository with their bytes."""
        return [
            (str(Path(to) / path.relative_to(folder)), path.stat().st_size)
            for folder, to in self.folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    def send(self) -> str:
        """Send it, and say where it is.

        Raises:
            UserError: see `upload_folder`.
        """
        message = ""
        for folder, to in self.folders:
            message = upload_folder(
                folder, self.repository, public=self.public, kind="model", to=to
            )
        return message
