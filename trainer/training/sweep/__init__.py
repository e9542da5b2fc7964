"""Finding the learning rate, for a tenth of what trying it in full would cost.

The one setting that is worth a search, and whose best value differs from model to model and recipe
to recipe. Rates on a geometric grid are tried on a part of the rows, with the run's own layers,
recipe, batch and epochs; the better ones are tried again on more rows, and what moved in between
tells where the best rate of the whole set lies.
"""
