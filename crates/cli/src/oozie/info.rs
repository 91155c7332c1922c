//! `info` and `version`: what the client knows by itself.

use std::io::{self, Write};

use crate::args::Info;
use crate::times;

/// The version of Oozie whose client this one replaces.
const OOZIE_VERSION: &str = "5.2.1";

/// `info -timezones`.
pub fn info(out: &mut dyn Write, info: &Info) -> io::Result<()> {
    if !info.timezones {
        return Ok(());
    }
    writeln!(
        out,
        "The format is \"SHORT_NAME (ID)\"\nGive the ID (GMT, UTC or Region/City)to the -timezone argument"
    )?;
    writeln!(out, "GMT offsets can also be used (e.g. GMT-07:00, GMT-0700, GMT+05:30, GMT+0530)")?;
    writeln!(out, "Available Time Zones:")?;
    let zones = times::available();
    let told = zones.iter().filter(|(_, id)| !id.starts_with("Etc/GMT"));
    told.into_iter().try_for_each(|(label, id)| writeln!(out, "      {label} ({id})"))
}

/// `version`.
pub fn version(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "Oozie client build version: {OOZIE_VERSION}\nHowdah version: {}",
        env!("CARGO_PKG_VERSION")
    )
}
