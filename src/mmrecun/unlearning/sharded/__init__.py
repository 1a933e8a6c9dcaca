"""Methods that train models on shards, so that a request retrains few of them."""
