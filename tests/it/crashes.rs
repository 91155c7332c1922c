//! kill -9 at every point of the log: nothing is lost and nothing runs twice.
