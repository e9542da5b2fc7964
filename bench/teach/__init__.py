"""Ways of teaching at equal compute, on a newspaper that the model never saw.

One demo is made (its newspaper, its pairs), then every way of teaching trains on it from the same
model with each seed, for as many tokens as `sft` takes in EPOCHS epochs: a way whose rows are more
or longer gets fewer epochs. Against whom: the same model without its adapter, with and without
search.

sft            questions and answers
distil         the same with the base's own distribution, the text before the question, as a part
               of the target
wordings       the same with up to two other wordings of a question among the rows
until-learned  the same, with what is known shown less and what is not shown more
preference     two thirds of the epochs as sft; then that run is asked what it was taught and what
               nobody can know, and the rest goes on from it, its wrong answers rejected
open-book      the same with three rows in ten taught with their text too, and other numbers and
               names in it, so that reading what search found is not unlearned
all-weights    questions and answers, all weights in place of an adapter of rank 16: a model of two
               million has few to spare
best           all-weights, with every second row taught with its text too, asked at nine tenths
               of its strength

With --model the newspaper is the English one of 60 stories, its pairs are the truth's own (as a
larger model would write them), and the ways are those of ADAPTERS, over 20 epochs.

NAME_recall, NAME_exact   closed book, taught facts in wordings that no way was trained on: share
                          of questions whose true answer is the most probable of four, and whose
                          greedy answer has the truth's words; mean over the seeds. Beside them
                          _gain (minus the base), _gain_low and _gain_high: 95 % interval, marks
                          averaged over the seeds, clustered by story
NAME_unseen, NAME_unseen_exact   the same about stories that were never taught
NAME_abstained            questions that nothing in the archive answers: share that was declined
NAME_invented             questions about stories never taught: share that got a wrong answer
NAME_declined, NAME_made_up   the same two of the model's own answers, none withheld by a threshold
NAME_gave_up              of these, questions about taught facts that it says it cannot answer
NAME_forgetting           general questions: share of right words, minus the base's
NAME_with_rag             with search, taught and untaught questions: share whose true answer is the
                          most probable of four, minus the base's with search
NAME_with_rag_exact       the same for greedy answers in the reference's words
NAME_selective            of each seed: the surest 80 % of the greedy answers to taught questions,
                          share right minus that of all, with both ends of its interval
NAME_tokens, NAME_epochs, NAME_cpu_s   of one training, the first seed's
best_gain, best_recall, with_rag_low   of the last way, as shares of 1
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from bench.registry import BenchSettings, Figures
from exchange.inference import openblas

SEED = 7  # of the demo's newspaper and of the first training
NOT_FOR_JUDGING = ("*_recall*", "*_exact*", "*_unseen*", "*_with_rag*", "best_*", "with_rag_low")
SEEDS, EPOCHS = 3, 96
QUICK_STORIES, QUICK_EPOCHS = 60, 3
# Of a model that was pretrained: it learns more from each row, and takes longer to answer.
LARGE_EPOCHS, LARGE_RATE, LARGE_QUESTIONS, QUICK_QUESTIONS = 20, "0.0003", 60, 10


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--seeds", type=int, help=f"trainings of each way, default {SEEDS}")
    parser.add_argument("--epochs", type=int, help=f"of sft, default {EPOCHS}")
    parser.add_argument("--ways", nargs="+", help="only these, in this order")
    parser.add_argument("--model", type=Path, help="of `make real`, say; for the English newspaper")
    parser.add_argument(
        "--dir", type=Path, help="keep demo and runs here; what is finished is only measured"
    )


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Make the demo, train every way with every seed, and ask."""
    from bench import demo

    openblas.ensure()
    with demo.working_folder(args.dir) as folder:
        return _run_in(folder, args, settings)


def _run_in(folder: Path, args: argparse.Namespace, settings: BenchSettings) -> Figures:
    from bench import demo
    from bench.teach import english, ways
    from bench.teach.marks import Marks

    if args.model:
        english.make(folder / "demo", args.model, settings.log)
    else:
        demo.make(folder / "demo", settings, stories=QUICK_STORIES if settings.quick else None)
    seeds = range(SEED, SEED + (args.seeds or (1 if settings.quick else SEEDS)))
    usual = LARGE_EPOCHS if args.model else EPOCHS
    epochs = args.epochs or (QUICK_EPOCHS if settings.quick else usual)
    chosen = ways.chosen(args.ways or (ways.ADAPTERS if args.model else None))
    if args.model:  # the demo's rate is that of its own tiny model
        chosen = [replace(way, train=(("lr", LARGE_RATE), *way.train)) for way in chosen]
    asked = (QUICK_QUESTIONS if settings.quick else LARGE_QUESTIONS) if args.model else None
    taught = [
        ways.teach(folder, way, seeds, epochs, settings.log, questions=asked) for way in chosen
    ]
    marks = Marks.ask(folder / "demo", taught, settings.log)
    found: Figures = {"seeds": len(seeds), **marks.base_figures()}
    for one in taught:
        found |= marks.figures(one)
    last = taught[-1].way.name
    return {
        **found,
        "best_gain": found[f"{last}_recall_gain"],
        "best_recall": found[f"{last}_recall"],
        "with_rag_low": found[f"{last}_with_rag_low"],
    }
