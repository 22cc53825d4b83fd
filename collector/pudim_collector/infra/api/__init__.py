"""What every route of the API does alike: pages of lists, keys against doing things twice, entity tags, notice of ends."""
