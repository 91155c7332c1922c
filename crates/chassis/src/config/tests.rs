//! Settings from files, environment and flags, as tables.

use std::fs;

use serde::Deserialize;

use super::*;
use crate::units::HumanDuration;

const DEFAULT: &str = "[server]\nlisten = \"127.0.0.1:11000\"\ndrain = \"10s\"\n[worker]\nslots = 4\npools = [\"default\"]\n";

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Config {
    server: Server,
    worker: Worker,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Server {
    listen: String,
    drain: HumanDuration,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Worker {
    slots: u16,
    pools: Vec<String>,
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), text).expect("writable");
    file
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn later_layers_win_and_every_value_knows_its_origin() {
    let file = file("[worker]\nslots = 8\n[server]\nlisten = \"a:1\"\n");
    let mut settings = Settings::new(DEFAULT);
    settings.overlay_file(file.path()).expect("a good file");
    let environment = [
        ("HOWDAH_SERVER__LISTEN", "b:2"),
        ("HOWDAH_WORKER__POOLS", "x, y"),
        ("HOWDAH_LOG", "debug"),
    ];
    settings.overlay_environment(variables(&environment)).expect("good variables");
    settings.overlay_flag("--listen", "server.listen", "c:3").expect("a good flag");
    let config: Config = settings.read().expect("fits");
    assert_eq!((config.server.listen.as_str(), config.worker.slots), ("c:3", 8));
    assert_eq!(config.worker.pools, ["x", "y"]);
    let printed = settings.print();
    let expected = format!(
        "server.drain = \"10s\"  # default\nserver.listen = \"c:3\"  # flag --listen\n\
         worker.pools = [\"x\", \"y\"]  # environment HOWDAH_WORKER__POOLS\nworker.slots = 8  # {}:2\n",
        file.path().display()
    );
    assert_eq!(printed, expected);
    assert!(printed.parse::<Table>().is_ok(), "what is printed can be read back");
}

#[track_caller]
fn check_file(text: &str, expected: &str) {
    let file = file(text);
    let mut settings = Settings::new(DEFAULT);
    let error = settings
        .overlay_file(file.path())
        .and_then(|()| settings.read::<Config>())
        .expect_err(text);
    assert_eq!(error.to_string().replace(&file.path().display().to_string(), "FILE"), expected);
}

#[test]
fn mistakes_name_the_place_and_what_was_meant() {
    check_file(
        "[server]\nlistn = \"a:1\"",
        "FILE:2: there is no setting `server.listn`; did you mean `server.listen`?",
    );
    check_file(
        "[x]\ny = 1",
        "FILE:2: there is no setting `x.y`; `--print-config` shows all settings",
    );
    check_file(
        "[worker]\nslots = \"8\"",
        "FILE:2: `worker.slots` cannot be `8`: a whole number is wanted here",
    );
    check_file("worker", "FILE:1: not TOML: key with no value, expected `=`");
}

#[test]
fn values_that_do_not_fit_are_blamed_on_their_origin() {
    check_file(
        "\n[server]\ndrain = \"soon\"",
        "FILE:3: `server.drain` cannot be `soon`: `soon` is no duration; write a whole number and a unit, such as `30s`",
    );
    check_file(
        "[worker]\nslots = -1",
        "FILE:2: `worker.slots` cannot be `-1`: invalid value: integer `-1`, expected u16",
    );
}

#[test]
fn a_mistyped_variable_is_an_error_too() {
    let mut settings = Settings::new(DEFAULT);
    let error = settings
        .overlay_environment(variables(&[("HOWDAH_WORKER__SLOT", "1")]))
        .expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "environment HOWDAH_WORKER__SLOT: there is no setting `worker.slot`; did you mean `worker.slots`?"
    );
    let error = settings
        .overlay_environment(variables(&[("HOWDAH_WORKER__SLOTS", "many")]))
        .expect_err("no number");
    assert_eq!(
        error.to_string(),
        "environment HOWDAH_WORKER__SLOTS: `worker.slots` cannot be `many`: a whole number is wanted here"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = Settings::new(DEFAULT)
        .overlay_file(Path::new("/nonexistent/howdah.toml"))
        .expect_err("missing");
    assert!(
        error
            .to_string()
            .starts_with("cannot read the configuration file /nonexistent/howdah.toml: "),
        "{error}"
    );
}

#[test]
fn secrets_are_never_shown() {
    let mut settings =
        Settings::new("[a]\npassword = \"\"\nurl = \"\"\nkey_password = \"file:/x\"\n");
    assert!(
        settings.print().contains("a.password = \"\"  # default\n"),
        "an empty one is no secret"
    );
    settings.overlay_flag("--p", "a.password", "tiger").expect("known");
    settings.overlay_flag("--u", "a.url", "postgres://joe:tiger@host/db").expect("known");
    let told: String = settings.values().map(|(key, value)| format!("{key}={value};")).collect();
    assert!(!settings.print().contains("tiger") && !told.contains("tiger"), "{told}");
    assert!(told.contains("a.key_password=file:/x;"), "{told}");
}
