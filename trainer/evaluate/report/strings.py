"""Every phrase of the page: Greek, English. Places in braces take values."""

from __future__ import annotations

Phrase = tuple[str, str]

METRICS: dict[str, Phrase] = {
    "choice": ("Γνώση (επιλογή του σωστού)", "Knowledge (choosing the true answer)"),
    "facts": ("Στοιχεία στην απάντηση", "Facts in the answer"),
    "exact": ("Απάντηση λέξη προς λέξη", "Word for word"),
    "dates": ("Ημερομηνίες", "Dates"),
    "numbers": ("Αριθμοί", "Numbers"),
    "names": ("Ονόματα", "Names"),
    "groundedness": ("Τεκμηρίωση", "Groundedness"),
    "abstention": ("Αποχή από άγνωστα", "Abstention"),
    "declined": ("Άρνηση απάντησης", "Declined"),
    "bits": ("Bit ανά χαρακτήρα", "Bits per character"),
    "length": ("Λόγος μήκους", "Length ratio"),
    "style": ("Μετατόπιση ύφους", "Style drift"),
    "chrf": ("chrF (μόνο μετατόπιση)", "chrF (drift only)"),
    "forgetting": ("Γενικές γνώσεις", "General abilities"),
    "robustness": ("Ανθεκτικότητα", "Robustness"),
}

SPLITS: dict[str, Phrase] = {
    "test_recall": ("διδαγμένα, με άλλα λόγια", "taught, in other words"),
    "test_unseen": ("ποτέ διδαγμένα", "never taught"),
    "test_general": ("γενικές ερωτήσεις", "general questions"),
    "absent": ("όσα το αρχείο δεν έχει", "not in the archive"),
    "disturbed": ("βιαστικά γραμμένες", "typed in a hurry"),
}

SLICES: dict[str, Phrase] = {
    "section": ("Ανά στήλη", "By section"),
    "year": ("Ανά έτος", "By year"),
    "entity": ("Ανά είδος ονόματος", "By kind of name"),
    "rarity": ("Σπάνια και συχνά ονόματα", "Rare and common names"),
    "kind": ("Ανά είδος ερώτησης", "By kind of question"),
}

COUNTED: dict[str, Phrase] = {
    "stories": ("ρεπορτάζ", "stories"),
    "stories_taught": ("διδαγμένα ρεπορτάζ", "stories taught"),
    "chunks": ("αποσπάσματα", "chunks"),
    "chunks_with_question": ("με ερώτηση", "with a question"),
    "chunks_taught": ("διδαγμένα αποσπάσματα", "chunks taught"),
    "pairs_accepted": ("δεκτά ζεύγη", "pairs accepted"),
}

STRINGS: dict[str, Phrase] = {
    "title": (
        "Αξιολόγηση του αρχείου {archive}, εκτέλεση {run}",
        "Evaluation of {archive}, run {run}",
    ),
    "fine-tune": ("Προσαρμόστε το μοντέλο (fine-tune)", "Fine-tune"),
    "fine-tune-rag": (
        "Προσαρμόστε το μοντέλο (fine-tune) και κρατήστε δίπλα του την αναζήτηση (RAG)",
        "Fine-tune, and keep RAG beside it",
    ),
    "rag": ("Χρησιμοποιήστε αναζήτηση (RAG)", "Use RAG"),
    "few-shot": ("Χρησιμοποιήστε παραδείγματα (few-shot)", "Use few-shot"),
    "open": (
        "Δεν κρίθηκε: χρειάζονται {more} ακόμη ερωτήσεις",
        "Not decided: {more} more questions needed",
    ),
    "nothing": (
        "Δεν κρίθηκε: δεν συγκρίθηκαν δύο συστήματα",
        "Not decided: fewer than two systems were compared",
    ),
    "because": (
        "{metric}, {split}, {questions} ερωτήσεις για {stories} ρεπορτάζ: {system} {mean}, "
        "{others}.",
        "{metric}, {split}, {questions} questions about {stories} stories: {system} {mean}, "
        "{others}.",
    ),
    "clearly": (
        "Καθαρά καλύτερο από κάθε φθηνότερη λύση (Holm, p {p})· καμία ακριβότερη δεν μπορεί να "
        "είναι καλύτερη κατά όσο μετράει ({matters}).",
        "Clearly better than every cheaper way (Holm, p {p}); no dearer one can be better by a "
        "difference that matters ({matters}).",
    ),
    "cheapest": (
        "Είναι η φθηνότερη λύση, και καμία ακριβότερη δεν μπορεί να είναι καλύτερη κατά όσο "
        "μετράει ({matters}).",
        "It is the cheapest way, and no dearer one can be better by a difference that matters "
        "({matters}).",
    ),
    "left-open": (
        "Ανοιχτό μένει: {pairs}. Για διαφορά {matters} με ισχύ 80 % λείπουν {more} ερωτήσεις.",
        "Open is: {pairs}. To see a difference of {matters} with a power of 80 %, {more} questions "
        "are missing.",
    ),
    "no-unseen": (
        "Σε ρεπορτάζ που δεν διδάχτηκε ποτέ δεν διεκδικείται κέρδος: {one} − {other} {gain} "
        "{interval}.",
        "On stories that were never taught no gain is claimed: {one} − {other} {gain} {interval}.",
    ),
    "unseen-gain": (
        "Και σε ρεπορτάζ που δεν διδάχτηκε ποτέ είναι καλύτερο: {one} − {other} {gain} {interval}.",
        "It is better on stories that were never taught, too: {one} − {other} {gain} {interval}.",
    ),
    "unseen-loss": (
        "Σε ρεπορτάζ που δεν διδάχτηκε ποτέ είναι χειρότερο: {one} − {other} {gain} {interval}.",
        "On stories that were never taught it is worse: {one} − {other} {gain} {interval}.",
    ),
    "terser": (
        "Οι απαντήσεις του {system} είναι συντομότερες από του {against}: {one} αντί {other} του "
        "μήκους της σωστής. Το μήκος δεν μετράει στην κρίση.",
        "The answers of {system} are terser than those of {against}: {one} instead of {other} of "
        "the reference's length. Length is no part of the verdict.",
    ),
    "wordier": (
        "Οι απαντήσεις του {system} είναι μακρύτερες από του {against}: {one} αντί {other} του "
        "μήκους της σωστής. Το μήκος δεν μετράει στην κρίση.",
        "The answers of {system} are longer than those of {against}: {one} instead of {other} of "
        "the reference's length. Length is no part of the verdict.",
    ),
    "use-case": ("Χρήση", "Use case"),
    "model": ("Μοντέλο", "Model"),
    "asked": ("Ερωτήσεις", "Questions"),
    "stories": ("Ρεπορτάζ", "Stories"),
    "gate": ("Πύλη προαγωγής", "Promotion gate"),
    "passed": ("πέρασε", "passed"),
    "failed": ("δεν πέρασε", "failed"),
    "few": (
        "Συγκρίθηκαν μόνο {few} ρεπορτάζ. Κάτω από 50 τα διαστήματα μπορεί να είναι στενότερα από "
        "όσο πρέπει.",
        "Only {few} stories were compared. Under 50 the intervals may be narrower than they should "
        "be.",
    ),
    "gate-passed": (
        "{metric}: δεν χάθηκε όσο απαγορεύεται ({gain} {interval}, όριο −{allowed}).",
        "{metric}: not lost by as much as is forbidden ({gain} {interval}, limit −{allowed}).",
    ),
    "gate-worse": (
        "{metric}: χειρότερο από το βασικό μοντέλο ({gain} {interval}, όριο −{allowed}).",
        "{metric}: worse than the base ({gain} {interval}, limit −{allowed}).",
    ),
    "gate-too wide": (
        "{metric}: το διάστημα δεν αποκλείει απαγορευμένη απώλεια ({gain} {interval}, όριο "
        "−{allowed})· λείπουν {more} ερωτήσεις.",
        "{metric}: the interval does not rule out a forbidden loss ({gain} {interval}, limit "
        "−{allowed}); {more} more questions would.",
    ),
    "gate-not measured": ("{metric}: δεν μετρήθηκε.", "{metric}: not measured."),
    "differences": ("Οι διαφορές", "The differences"),
    "differences-lead": (
        "{metric}: διαφορές δύο συστημάτων στις ίδιες ερωτήσεις ({split}), με διάστημα 95 % "
        "ομαδοποιημένο ανά ρεπορτάζ. Τα p διορθώθηκαν κατά Holm για όλο το δηλωμένο σύνολο. Στη "
        "ζώνη γύρω από το μηδέν μια διαφορά δεν αλλάζει τίποτα.",
        "{metric}: differences of two systems on the same questions ({split}), with 95 % intervals "
        "clustered by story. The p values are corrected by Holm over the whole declared set. "
        "Within the band around zero a difference changes nothing.",
    ),
    "points": ("μονάδες", "points"),
    "pair": ("Ζεύγος", "Pair"),
    "difference": ("Διαφορά", "Difference"),
    "interval": ("95 %", "95 %"),
    "wins": ("Νίκες / ισοπαλίες / ήττες", "Wins / ties / losses"),
    "mcnemar": ("McNemar p", "McNemar p"),
    "holm": ("Holm p", "Holm p"),
    "says": ("Κρίση", "Reading"),
    "better": ("καλύτερο", "better"),
    "worse": ("χειρότερο", "worse"),
    "same": ("ίδιο, όσο μετράει", "no difference that matters"),
    "unclear": ("ανοιχτό", "undecided"),
    "higher": ("υψηλότερο", "higher"),
    "lower": ("χαμηλότερο", "lower"),
    "beside": ("Τα υπόλοιπα μεγέθη: {one} − {other}", "All other measures: {one} − {other}"),
    "beside-lead": (
        "Έξω από το δηλωμένο σύνολο: δείχνουν πού να κοιτάξει κανείς, δεν αποδεικνύουν.",
        "Outside of the declared set: they say where to look, they prove nothing.",
    ),
    "all": ("Όλα τα συστήματα", "All systems"),
    "all-lead": (
        "Μέσοι όροι με διάστημα 95 %, ανά σύνολο ερωτήσεων. n/a: δεν μετριέται σε αυτό το σύστημα.",
        "Means with 95 % intervals, by set of questions. n/a: cannot be measured on that system.",
    ),
    "slices": ("Πού βρίσκεται η διαφορά", "Where the difference is"),
    "slices-lead": (
        "{metric}, {one} − {other}. Πολλά κομμάτια εξετάστηκαν, άρα κάποιο ξεχωρίζει και από τύχη.",
        "{metric}, {one} − {other}. Many slices were looked at, so one may stand out by chance.",
    ),
    "flips": ("Απαντήσεις που άλλαξαν", "Answers that flipped"),
    "flips-lead": (
        "{won} έγιναν σωστές, {lost} έγιναν λάθος. Εδώ οι πρώτες κατά κωδικό, όχι οι καλύτερες· "
        "όλες είναι στο {file}.",
        "{won} became right, {lost} became wrong. Shown are the first by id, not the best; {file} "
        "has all.",
    ),
    "won": ("Έγιναν σωστές", "Became right"),
    "lost": ("Έγιναν λάθος", "Became wrong"),
    "reference": ("σωστό", "reference"),
    "gold": ("Πηγή", "Source"),
    "losses": ("Η εκπαίδευση", "The training"),
    "losses-lead": (
        "Απώλεια ανά λέξη-σύμβολο της απάντησης: γραμμή η εκπαίδευση, κύκλοι η επικύρωση.",
        "Loss per token of the answer: the line is training, the dots are validation.",
    ),
    "coverage": ("Τι καλύπτει το αρχείο", "What the archive covers"),
    "coverage-lead": ("Ρεπορτάζ ανά έτος και στήλη.", "Stories by year and section."),
    "costs": ("Το κόστος", "The costs"),
    "costs-training": (
        "Εκπαίδευση: {hours} ώρες, {tokens} λέξεις-σύμβολα, {memory} GB μνήμη στο μέγιστο, περίπου "
        "{kwh} kWh αν το μηχάνημα τραβάει {watts} W.",
        "Training: {hours} hours, {tokens} tokens, {memory} GB of memory at most, about {kwh} kWh "
        "if the machine draws {watts} W.",
    ),
    "system": ("Σύστημα", "System"),
    "answers": ("Απαντήσεις", "Answers"),
    "tokens-in": ("Σύμβολα εισόδου", "Tokens in"),
    "tokens-out": ("Σύμβολα εξόδου", "Tokens out"),
    "seconds": ("Δευτ. ανά απάντηση", "Seconds an answer"),
    "kwh": ("kWh ανά 1.000", "kWh a 1,000"),
    "cut": ("Κομμένες", "Cut off"),
    "errors": ("Σφάλματα", "Failed"),
    "judge": ("Ο κριτής", "The judge"),
    "judge-passed": (
        "{judge} πέρασε τον έλεγχο με φυτεμένα λάθη. Την πρώτη θέση την προτίμησε στο {first}.",
        "{judge} passed the audit with planted faults. It preferred what stood first in {first}.",
    ),
    "judge-failed": (
        "{judge} δεν πέρασε τον έλεγχο: {reason}. Οι προτιμήσεις του δεν δείχνονται. Την πρώτη "
        "θέση την προτίμησε στο {first}.",
        "{judge} failed the audit: {reason}. What it preferred is not shown. It preferred what "
        "stood first in {first}.",
    ),
    "no-judge": ("Δεν ρωτήθηκε κριτής.", "No judge was asked."),
    "fault": ("Φυτεμένο λάθος", "Planted fault"),
    "caught": ("Το βρήκε", "Caught"),
    "preferred": ("Προτιμήθηκε", "Preferred"),
    "human": ("Συμφωνία με ανθρώπους: {human}.", "Agreement with people: {human}."),
    "calibration": ("Ξέρει πότε ξέρει;", "Does it know when it knows?"),
    "calibration-lead": (
        "Οριζόντια η βεβαιότητα, κατακόρυφα το μερίδιο σωστών· στη διαγώνιο συμφωνούν. ECE: η μέση "
        "απόσταση.",
        "Across is how sure it was, upwards how often it was right; on the diagonal they agree. "
        "ECE is the mean distance.",
    ),
    "made": ("Πώς έγινε", "How it was made"),
    "made-lead": (
        "Η ίδια εντολή πάνω στα ίδια αποτυπώματα δίνει τα ίδια νούμερα.",
        "The same command on the same hashes gives the same figures.",
    ),
    "measures": ("Οι μετρήσεις", "The measures"),
    "settings": ("Ρυθμίσεις", "Settings"),
    "footer": (
        "Διαβάζεται χωρίς δίκτυο και χωρίς σενάρια. Τα ίδια νούμερα για μηχανές: {file}.",
        "Reads without network and without scripts. The same figures for machines: {file}.",
    ),
}
