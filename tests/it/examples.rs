//! Every application in `examples/` ends as its entry in `expected.json` says.
