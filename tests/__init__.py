"""The tests, one package per part of the library; `./run test` runs them all."""
