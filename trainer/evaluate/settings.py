"""[evaluate]: who is asked, how much, and by what judge."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from exchange.settings import SettingsTable

SHOWN_AS = {"base+rag": "rag"}  # what the report calls a kind
FEW_SHOT = re.compile(r"few-shot-([1-9]|[12]\d|3[0-2])")  # with so many examples
KNOWN = (
    "base",
    "few-shot",
    "rag",
    "tuned",
    "tuned+abstain",
    "tuned+rag",
    "oracle",
    "endpoint",
)


class EvaluateSettings(SettingsTable):
    """The settings of `kkoracle evaluate`."""

    systems: tuple[str, ...] = Field(
        KNOWN[:-1],
        description="who is asked: base, few-shot (few-shot-3: with three examples alone), "
        "base+rag, tuned, tuned+abstain (it says so where it is not sure), tuned+rag, oracle, "
        "endpoint",
    )
    shots: tuple[int, ...] = Field(
        (1, 3, 5), description="how many examples few-shot shows; each number is a system"
    )
    scale: float = Field(
        1.0,
        gt=0,
        le=1,
        description="strength of the adapter in every tuned system, as serve and chat answer with "
        "--scale; the threshold for saying 'I do not know' is then fitted at it",
    )
    scales: tuple[float, ...] = Field(
        (),
        description="strengths of the adapter that are asked beside that one, such as "
        "0.5,0.75; each is a system, and the report says where forgetting begins",
    )
    questions: int = Field(
        300,
        ge=0,
        description="of each test split, spread over the stories; 100 stories give fair intervals; "
        "no other set has more either; 0: all",
    )
    absent: int = Field(
        60, ge=0, description="questions that the archive cannot answer, besides refusals; 0: all"
    )
    disturbed: int = Field(
        40, ge=0, description="questions asked again in three careless ways; 0: all"
    )
    max_tokens: int = Field(128, ge=1, description="longest answer; a base that rambles is cut")
    width: int = Field(
        16, ge=1, description="answers decoded together; passages make them large in memory"
    )
    passages: int = Field(4, ge=1, le=20, description="chunks that are put before a question")
    prompt: str = Field(
        "", description="how passages are put, such as el/rag, or a .txt file; empty: by language"
    )
    url: str = Field(
        "",
        description="of an OpenAI-compatible endpoint, usually ending in /v1; its key: the "
        "environment's KKORACLE_EVALUATE_API_KEY",
    )
    served_as: str = Field("", description="the name of its model there")
    judge: bool = Field(
        True, description="let the base compare answers; shown only if it passes its audit"
    )
    judged: int = Field(100, ge=1, description="questions that the judge compares two answers to")

    matters: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="smallest difference that would change what you do: points of a share",
    )
    report_language: str = Field(
        "",
        description="language that the report opens in, such as el or en; empty: this machine's "
        "(LANG), or the newspaper's",
    )
    watts: float = Field(
        60.0, gt=0, description="what this machine draws while it works, for the energy"
    )

    @field_validator("systems")
    @classmethod
    def _are_known(cls, systems: tuple[str, ...]) -> tuple[str, ...]:
        asked = [SHOWN_AS.get(name, name) for name in systems]
        unknown = [name for name in asked if name not in KNOWN and not FEW_SHOT.fullmatch(name)]
        if unknown or not systems:
            raise ValueError(f"{', '.join(unknown) or 'nobody'}: known are {', '.join(KNOWN)}")
        return tuple(dict.fromkeys(asked))

    @field_validator("scales")
    @classmethod
    def _are_parts(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < scale < 1 for scale in scales):
            raise ValueError("each over 0 and under 1; `scale` is asked anyway")
        return tuple(sorted(set(scales)))

    @field_validator("shots")
    @classmethod
    def _are_few(cls, shots: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= count <= 32 for count in shots):
            raise ValueError("each from 1 to 32; none at all is the base")
        return tuple(dict.fromkeys(shots))
