"""The labelling page, over HTTP and in a notebook."""
