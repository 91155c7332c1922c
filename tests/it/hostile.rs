//! Bad input gets a clear error, and nobody else is disturbed.
