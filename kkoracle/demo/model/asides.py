"""Sentences for the training text only: full of names, but nothing is asked about them.

Without them the model takes every sentence with a date for one of the frames it knows.
"""

from __future__ import annotations

# Slots as in the newspaper's frames.
ASIDES = tuple(
    """
Στις {d} μίλησε {v.ston} για ώρες {p.o}.
{p.O} και {q.o} συναντήθηκαν στις {d} {b.ston}.
Από τις {d} λειτουργεί {v.ston} νέο γραφείο με {n} φακέλους.
Το γράμμα με τις {n} υπογραφές έφτασε στις {d} στα χέρια {p.tou}.
Για {c.ton} είχε γράψει η εφημερίδα και στις {d}.
{o.O} κάλεσε στις {e} τα μέλη {v.ston}.
Πάνω από {n} άνθρωποι περίμεναν στις {d} έξω από {b.ton}.
Στα {k} του χρόνια {p.o} ζει ακόμα {v.ston}.
Με {s} στο ταμείο {o.o} ξεκίνησε τη χρονιά στις {d}.
{t.O} προπονήθηκε στις {d} {v.ston} μπροστά σε {n} παιδιά.
Η φωτογραφία που δημοσιεύτηκε στις {d} δείχνει {p.ton} {g.ston}.
Τη διαδρομή από {u.ton} περπάτησαν στις {d} {k} ορειβάτες.
Τα {n} δέντρα που φύτεψε στις {d} {o.o} πρασίνισαν {v.ton}.
Στη συζήτηση για {w.ton} πήρε τον λόγο στις {d} {p.o}.
""".strip().splitlines()
)
