"""Operating the store's server: a mongod to run, a local replica set of them."""
