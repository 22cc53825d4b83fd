"""The composition root: the only place that knows which parts exist and how they are put together."""
