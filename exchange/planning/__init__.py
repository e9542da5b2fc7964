"""Which tasks beside the chunk ones an archive needs: dense, who-is, rephrased, refusal, correction and replay."""
