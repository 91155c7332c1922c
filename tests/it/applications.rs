//! Oozie's own example applications run to the status that Oozie would give.
