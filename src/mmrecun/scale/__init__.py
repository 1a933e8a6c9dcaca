"""The same jobs on one machine or on a cluster: pieces of work named by digest, and executors that make them."""
