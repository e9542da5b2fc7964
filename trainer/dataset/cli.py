"""`kkoracle dataset ...`: build, export, stats; `review` stands in its own room."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.commands import add_command, add_group
from exchange.cli.fields import settings_options
from exchange.cli.options import Archive, Json, print_json, result_console
from exchange.files import write_atomic
from exchange.project import Project
from trainer.dataset.settings import DatasetSettings

if TYPE_CHECKING:
    from rich.table import Table

    from trainer.dataset.rows import Manifest

SHOWN = 20  # bad lines told one by one


def register(app: typer.Typer) -> typer.Typer:
    """Add the commands to the front door; returns their group, for `review`."""
    dataset = add_group(app, "dataset", "What is taught: built from the accepted pairs.", "Dataset")
    add_command(
        dataset,
        build,
        "kkoracle dataset build",
        "kkoracle dataset build --from rows.jsonl",
        "kkoracle dataset build --as-of 31/12/2015",
        "kkoracle dataset build press --of phoni --of vima",
        "kkoracle dataset build --json",
    )
    add_command(
        dataset,
        export,
        "kkoracle dataset export",
        "kkoracle dataset export openai --to shared",
    )
    add_command(
        dataset,
        stats,
        "kkoracle dataset stats",
        "kkoracle dataset stats --html stats.html",
        journal=False,
    )
    return dataset


@settings_options("dataset", DatasetSettings, "unseen", "valid", "wordings", "text", "cutoff")
def build(
    ctx: typer.Context,
    settings: DatasetSettings,
    archive: Archive = None,
    papers: Annotated[
        list[str] | None,
        typer.Option(
            "--of",
            metavar="ARCHIVE",
            help="Build of several archives: name each, and give the whole a name of its own.",
        ),
    ] = None,
    origin: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Rows from elsewhere: a folder of `kkoracle export`; JSONL, JSON, CSV, XLSX, "
            "Parquet or Arrow; or a folder of such files.",
        ),
    ] = None,
    new_cutoff: Annotated[
        bool, typer.Option("--new-cutoff", help="Begin a new version that teaches later stories.")
    ] = False,
    as_of: Annotated[
        str,
        typer.Option(
            metavar="DATE",
            help="Teach only what was printed up to this day, and ask about what came later; "
            "another day than before begins a new version.",
        ),
    ] = "",
    split: Annotated[
        str,
        typer.Option(
            help="clusters, or researcher: 70/15/15 by pair as it was once done, with its leak in "
            "numbers; written to a folder of its own."
        ),
    ] = "clusters",
    json: Json = False,
) -> None:
    """Split the accepted pairs and write train, valid and three tests.

    Whole clusters of near-duplicate stories stand on one side of the line, and building again
    moves none. `valid` and `test_recall` ask what is taught in other words, `test_unseen` what
    was never taught, `test_general` what no newspaper is needed for.

    With --of it is a dataset of several archives, under a name of its own: `train`, `compare` and
    `chat` take that name as any archive's, and the report tells the papers apart.
    """

    from exchange.errors import UsageError, UserError
    from exchange.settings import PersonaSettings
    from exchange.store.joined_corpus import write_papers
    from exchange.store.papers import papers_of
    from trainer.console import ProgressScreen
    from trainer.dataset import DatasetRequest, build_dataset, builds, random_split

    if split not in ("clusters", "researcher"):
        raise UsageError(f"--split {split}: clusters or researcher")
    if as_of and split == "researcher":
        raise UsageError("--as-of: a split by pair knows no dates")
    project: Project = ctx.obj
    if papers:
        write_papers(project.archive_dir(archive), papers)
    persona = project.config.table("persona", PersonaSettings)
    asked = DatasetRequest(persona.system, project.language(archive), origin, new_cutoff, as_of)
    console = result_console(json)
    archive_dir = project.archive_dir(archive)
    before = builds.list_builds(archive_dir)[:1]
    with ProgressScreen(console) as screen:
        built = (build_dataset if split == "clusters" else random_split.build_random_split)(
            archive_dir, settings, asked, screen.on_progress
        )
    manifest = built.manifest
    rows = {f"rows_in_{name}": of["rows"] for name, of in manifest.splits.items()}
    project.journal.add_figures(dataset=manifest.sha, **rows)
    if json:
        bad = [{"where": where, "reason": reason} for where, reason in built.bad]
        print_json({"folder": str(built.folder), "bad": bad, "manifest": asdict(manifest)})
    console.print(_manifest_table(manifest))
    if manifest.as_of:
        after = manifest.splits["test_unseen"]
        console.print(
            f"as of {manifest.as_of}: {after.get('after', 0):,} rows of test_unseen, of "
            f"{after.get('stories_after', 0):,} stories, are about the time since"
        )
    for name in papers_of(archive_dir):
        shares = ", ".join(
            f"{count:,} in {split}"
            for split, of in manifest.splits.items()
            if (count := of.get("papers", {}).get(name, 0))
        )
        console.print(f"{name}: {shares or 'no row'}", soft_wrap=True, markup=False)
    if before and split == "clusters":
        with suppress(UserError):  # the note of before is gone or damaged
            change = builds.compare_builds(archive_dir, before[0].sha, manifest.sha)
            console.print(f"since the build before: {change.summary()}")
    for where, reason in built.bad[:SHOWN]:
        console.print(f"no row: {where} {reason}", soft_wrap=True, markup=False)
    if len(built.bad) > SHOWN:
        console.print(f"no row: {len(built.bad) - SHOWN} more")
    for reason, count in manifest.left_out.items():
        console.print(f"left out: {count} {reason}")
    for reason, count in manifest.input["rejected"].items():
        console.print(f"rejected before: {count} {reason}")
    for reason, count in manifest.input.get("by_hand", {}).items():
        console.print(f"accepted by hand: {count} {reason}")
    leak = manifest.leak
    console.print(
        f"test rows with a sibling in train: {leak['siblings_in_train']:.1%} "
        f"(a random split: {leak['siblings_if_random']:.1%})"
    )
    for warning in manifest.warnings:
        console.print(f"[yellow]note:[/] {warning}", soft_wrap=True)
    behind = project.archive_words(archive)
    next_is = "" if split == "researcher" else f"; next: `kkoracle train{behind}`"
    console.print(f"written to {built.folder}{next_is}", soft_wrap=True)


def export(
    ctx: typer.Context,
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="mlx, messages, openai ...")] = "",
    archive: Archive = None,
    to: Annotated[Path | None, typer.Option(help="Folder; default: dataset-FORMAT.")] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="A dataset folder; default: the archive's.")
    ] = None,
    push: Annotated[
        str, typer.Option(help="Hub repository (NAME/REPO) to send a parquet export to.")
    ] = "",
    public: Annotated[bool, typer.Option("--public", help="Push to a public repository.")] = False,
) -> None:
    """Write the dataset as another trainer reads it; without a format, list them."""
    from rich.console import Console

    from exchange.errors import UsageError
    from trainer.dataset import formats
    from trainer.dataset.build import FOLDER

    console = Console(highlight=False)
    if not form:
        for name, known in formats.FORMATS.items():
            console.print(f"{name:16} {known.about}", markup=False)
        return
    if push and form != "parquet":
        raise UsageError("--push sends the parquet export: kkoracle dataset export parquet --push")
    project: Project = ctx.obj
    archive_dir = project.archive_dir(archive)
    folder = to or archive_dir / f"{FOLDER}-{form}"
    for path in formats.export(origin or archive_dir / FOLDER, form, folder):
        console.print(f"{path} ({path.stat().st_size:,} bytes)", soft_wrap=True, markup=False)
    if push:
        from trainer.hub import upload_folder

        console.print(upload_folder(folder, push, public=public), soft_wrap=True)


def stats(
    ctx: typer.Context,
    archive: Archive = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="A folder of `kkoracle export`.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write one HTML page too.")] = None,
    json: Json = False,
) -> None:
    """What was produced: by year, section, kind and length; coverage, rejections, names."""
    from dataclasses import asdict

    import orjson
    from rich.console import Console

    from trainer.console import ProgressScreen
    from trainer.dataset import archive_stats as counting

    project: Project = ctx.obj
    console = Console(highlight=False)
    with ProgressScreen(Console(highlight=False, stderr=True)) as screen:
        found = counting.read_statistics(project.archive_dir(archive), origin, screen.on_progress)
    if json:
        typer.echo(orjson.dumps(asdict(found)).decode())
    else:
        for table in counting.statistics_tables(found):
            console.print(table)
    if html:
        write_atomic(html, counting.render_page(found))
        console.print(f"page in {html}", soft_wrap=True, markup=False)


def _manifest_table(manifest: Manifest) -> Table:
    """What a dataset holds."""
    from rich.table import Table

    table = Table(title=f"Dataset of {manifest.archive} ({manifest.sha})", title_justify="left")
    for name in ("split", "rows", "stories", "clusters", "characters"):
        table.add_column(name, justify="left" if name == "split" else "right")
    for split, counts in manifest.splits.items():
        table.add_row(
            split, *(f"{counts[key]:,}" for key in ("rows", "stories", "clusters", "characters"))
        )
    return table
