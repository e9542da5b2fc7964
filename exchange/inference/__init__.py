"""The one door to a language model: load, chat template, batch, prefix cache, sampling, likelihoods, base and adapter, endpoint client."""
