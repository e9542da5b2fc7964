"""A request that cannot be served, in the shape in which OpenAI's clients expect to be told."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """One HTTP error.

    Args:
        status: of HTTP.
        param: the field of the request that is at fault, if one is.
        code: a short word for programs.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    def body(self) -> dict[str, Any]:
        """The JSON that goes with the status."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 401:
            kind = "authentication_error"
        return {
            "error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        }
