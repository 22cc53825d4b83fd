"""Words that mean the same in the agent, the collector and the API."""
