"""Input pipelines: a `PipelineSpec` in, batches out. One module a loader."""
