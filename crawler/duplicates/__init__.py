"""Stories that say the same: teasers of stories, first editions in second ones, repeats.

`shingles` turns a text into fingerprints, `near` keeps them in the spool and puts each new story
into its cluster. Clusters are stored once, for the dataset, so that no near-duplicate of what was
trained on is tested.
"""
