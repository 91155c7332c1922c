//! `admin`: what the server tells about itself.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value};
use ureq::http::Method;

use crate::args::Admin;
use crate::client::{Client, Params};
use crate::failure::Failure;

/// The server has no such thing at the moment.
const UNAVAILABLE_STATUS: u16 = 503;
/// Between the parts of a queue dump.
const STARS: &str = "******************************************";

/// Does it.
///
/// # Errors
/// The server's refusal, or when the output is gone.
pub fn run(out: &mut dyn Write, admin: &Admin, client: &Client) -> Result<(), Failure> {
    match admin {
        Admin { server_version: true, .. } => version(out, client),
        Admin { systemmode: Some(mode), .. } => set_mode(out, mode, client),
        Admin { status: true, .. } => status(out, client),
        Admin { sharelibupdate: true, .. } => update_libraries(out, client),
        Admin { shareliblist: Some(pattern), .. } => list_libraries(out, pattern, client),
        Admin { queuedump: true, .. } => queue(out, client),
        Admin { servers: true, .. } => pairs(out, "available-oozie-servers", client),
        Admin { configuration: true, .. } => pairs(out, "configuration", client),
        Admin { osenv: true, .. } => pairs(out, "os-env", client),
        Admin { javasysprops: true, .. } => pairs(out, "java-sys-properties", client),
        Admin { metrics: true, .. } => metrics(out, client),
        Admin { instrumentation: true, .. } => instrumentation(out, client),
        Admin { purge: Some(ages), .. } => purge(out, ages, client),
        _ => Ok(()),
    }
}

fn get(client: &Client, resource: &str) -> Result<Value, Failure> {
    client.admin(Method::GET, resource, &[])?.or_refusal()?.json()
}

/// A JSON value as Java prints it: texts without quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn version(out: &mut dyn Write, client: &Client) -> Result<(), Failure> {
    let answer = get(client, "build-version")?;
    // Servers since 5.0 tell more, and the client of then prints that as it is.
    let told = answer.get("buildInfo").unwrap_or_else(|| &answer["buildVersion"]);
    Ok(writeln!(out, "Oozie server build version: {}", shown(told))?)
}

fn status(out: &mut dyn Write, client: &Client) -> Result<(), Failure> {
    Ok(writeln!(out, "System mode: {}", shown(&get(client, "status")?["systemMode"]))?)
}

fn set_mode(out: &mut dyn Write, mode: &str, client: &Client) -> Result<(), Failure> {
    let mode = mode.to_uppercase();
    if !["NORMAL", "NOWEBSERVICE", "SAFEMODE"].contains(&mode.as_str()) {
        let expected = "Expected values are: NORMAL/NOWEBSERVICE/SAFEMODE ";
        let message =
            format!("Invalid input provided for option: systemmode value given :{mode} {expected}");
        return Err(Failure::Plain(message));
    }
    client.admin(Method::PUT, "status", &[("systemmode", Some(&mode))])?.or_refusal()?;
    Ok(writeln!(out, "System mode: {mode}")?)
}

/// `key : value`, by key.
fn pairs(out: &mut dyn Write, resource: &str, client: &Client) -> Result<(), Failure> {
    Ok(listed(out, get(client, resource)?.as_object())?)
}

fn listed(out: &mut dyn Write, values: Option<&Map<String, Value>>) -> std::io::Result<()> {
    let sorted: BTreeMap<&String, &Value> = values.into_iter().flatten().collect();
    sorted.into_iter().try_for_each(|(key, value)| writeln!(out, "{key} : {}", shown(value)))
}

fn queue(out: &mut dyn Write, client: &Client) -> Result<(), Failure> {
    let answer = get(client, "queue-dump")?;
    writeln!(out, "{STARS}")?;
    let mut part = |list: &str, key: &str, title: &str, nothing: &str| {
        writeln!(out, "{title}")?;
        let entries = answer[list].as_array().map(Vec::as_slice).unwrap_or_default();
        if entries.is_empty() {
            writeln!(out, "{nothing}")?;
        }
        entries
            .iter()
            .filter_map(|entry| entry[key].as_str())
            .try_for_each(|line| writeln!(out, "{line}"))?;
        writeln!(out, "{STARS}")
    };
    part(
        "queueDump",
        "callableDump",
        "[Server Queue Dump]:",
        "The queue dump is empty, nothing to display.",
    )?;
    let nothing = "The uniqueness map dump is empty, nothing to display.";
    Ok(part("uniqueMapDump", "uniqueEntryDump", "[Server Uniqueness Map Dump]:", nothing)?)
}

fn list_libraries(out: &mut dyn Write, pattern: &str, client: &Client) -> Result<(), Failure> {
    let lib = Some(pattern).filter(|pattern| !pattern.is_empty());
    let answer: Value =
        client.admin(Method::GET, "list_sharelib", &[("lib", lib)])?.or_refusal()?.json()?;
    writeln!(out, "[Available ShareLib]")?;
    for library in answer["sharelib"].as_array().into_iter().flatten() {
        writeln!(out, "{}", shown(&library["name"]))?;
        let mut files = library["files"].as_array().into_iter().flatten();
        files.try_for_each(|file| writeln!(out, "\t{}", shown(file)))?;
    }
    Ok(writeln!(out)?)
}

fn update_libraries(out: &mut dyn Write, client: &Client) -> Result<(), Failure> {
    let params: Params<'_> = &[("allservers", Some("true"))];
    let answer: Value =
        client.admin(Method::GET, "update_sharelib", params)?.or_refusal()?.json()?;
    writeln!(out, "[ShareLib update status]")?;
    let servers = answer.as_array().map_or_else(|| vec![&answer], |list| list.iter().collect());
    for server in servers {
        let values = server["sharelibUpdate"].as_object().into_iter().flatten();
        values
            .into_iter()
            .try_for_each(|(key, value)| writeln!(out, "\t{key} = {}", shown(value)))?;
        writeln!(out)?;
    }
    Ok(writeln!(out)?)
}

fn metrics(out: &mut dyn Write, client: &Client) -> Result<(), Failure> {
    let answer = client.admin(Method::GET, "metrics", &[])?;
    if answer.status() == UNAVAILABLE_STATUS {
        let instead = "Metrics are unavailable.  Try Instrumentation (-instrumentation) instead";
        return Ok(writeln!(out, "{instead}")?);
    }
    let all: Value = answer.or_refusal()?.json()?;
    for (title, rule, key) in [
        ("COUNTERS", "--------", "counters"),
        ("\nGAUGES", "------", "gauges"),
        ("\nTIMERS", "------", "timers"),
        ("\nHISTOGRAMS", "----------", "histograms"),
    ] {
        writeln!(out, "{title}\n{rule}")?;
        listed(out, all[key].as_object())?;
    }
    Ok(())
}

fn instrumentation(out: &mut dyn Write, client: &Client) -> Result<(), Failure> {
    let answer = client.admin(Method::GET, "instrumentation", &[])?;
    if answer.status() == UNAVAILABLE_STATUS {
        return Ok(writeln!(
            out,
            "Instrumentation is unavailable.  Try Metrics (-metrics) instead"
        )?);
    }
    let all: Value = answer.or_refusal()?.json()?;
    for (title, rule, key) in [
        ("COUNTERS", "--------", "counters"),
        ("\nVARIABLES", "---------", "variables"),
        ("\nSAMPLERS", "---------", "samplers"),
        ("\nTIMERS", "---------", "timers"),
    ] {
        writeln!(out, "{title}\n{rule}")?;
        listed(out, Some(&flattened(&all[key])))?;
    }
    Ok(())
}

/// `[{group, data: [{name, value, ...}]}]` as `group.name` to value.
fn flattened(groups: &Value) -> Map<String, Value> {
    let mut flat = Map::new();
    for group in groups.as_array().into_iter().flatten() {
        for entry in group["data"].as_array().into_iter().flatten() {
            let value = entry.get("value").unwrap_or(entry).clone();
            flat.insert(format!("{}.{}", shown(&group["group"]), shown(&entry["name"])), value);
        }
    }
    flat
}

fn purge(out: &mut dyn Write, ages: &str, client: &Client) -> Result<(), Failure> {
    let bad = |message: String| Failure::coded("INVALID_INPUT", message);
    let mut given: BTreeMap<&'static str, String> = BTreeMap::new();
    for option in ages.split(';').filter(|option| !option.is_empty()) {
        let pair = option.split_once('=').filter(|(_, value)| !value.is_empty());
        let (key, value) =
            pair.ok_or_else(|| bad(format!("Invalid purge option pair [{option}] specified.")))?;
        let key = key.to_lowercase();
        let known = ["wf", "coord", "bundle", "limit", "oldcoordaction"];
        let known = known.into_iter().find(|known| *known == key);
        let known = known.ok_or_else(|| bad(format!("Invalid purge option [{key}] specified.")))?;
        if known != "oldcoordaction" && value.parse::<u32>().is_err() {
            return Err(bad(format!(
                "the purge option [{key}] must be a whole number, not [{value}]"
            )));
        }
        given.insert(known, value.to_owned());
    }
    let params: Vec<(&str, Option<&str>)> =
        given.iter().map(|(key, value)| (*key, Some(value.as_str()))).collect();
    let answer: Value = client.admin(Method::PUT, "purge", &params)?.or_refusal()?.json()?;
    Ok(writeln!(out, "{}", shown(&answer["purge"]))?)
}
