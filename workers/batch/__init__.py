"""Tasks as files in place of a queue: for a cluster, or a provider that works through a file.

The format is OpenAI's for batches (JSON lines; `custom_id` names the task), which `vllm run-batch`
and the providers' batch endpoints read, and our own engine by `kkoracle batch run`. Writing the
requests changes nothing: the tasks stay open, and whatever answers one first closes it, so a batch
that never comes back has cost nothing. The replies are judged as a worker judges them, and handed
to whoever may write the spool: the daemon where one runs.
"""
