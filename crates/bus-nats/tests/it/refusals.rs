//! Servers that cannot be used, and such that ask who we are.

use std::path::{Path, PathBuf};

use bus_nats::{Config, Connection, Credentials, Error, Metrics, Tls};
use testkit::nats::{Nats, NatsSettings};

use crate::harness::{Process, eventually};

async fn refused(settings: &NatsSettings) -> Error {
    let nats = Nats::start_with(settings).expect("nats");
    let config = Config {
        credentials: Credentials::Password { user: "u".to_owned(), password: "p".to_owned() },
        ..Config::new(nats.urls(), "test")
    };
    Connection::open(&config, &Metrics::default()).await.expect_err("it is refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_is_refused() {
    let error = refused(&NatsSettings { old: true, ..NatsSettings::default() }).await;
    assert_eq!(error.code(), "HW5021");
    let words = error.to_string();
    assert!(words.contains("2.11.") && words.contains("2.12 or newer"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_jetstream_is_refused() {
    let account = "accounts { A { users: [ { user: u, password: p } ] } }";
    let without = NatsSettings { jetstream: false, ..NatsSettings::default() };
    let without_for_us = NatsSettings { more: account.to_owned(), ..NatsSettings::default() };
    for settings in [without, without_for_us] {
        let error = refused(&settings).await;
        assert_eq!(error, Error::NoJetStream { server: "n0".to_owned() });
        assert_eq!(error.code(), "HW5022");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_know_us_is_away() {
    let more = "authorization { token: secret }".to_owned();
    let nats = Nats::start_with(&NatsSettings { more, ..NatsSettings::default() }).expect("nats");
    for (word, is_known) in [("wrong", false), ("secret", true)] {
        let credentials = Credentials::Token(word.to_owned());
        let config = Config { credentials, ..Config::new(nats.urls(), "test") };
        let process = Process::start_with(&config).await;
        assert_eq!(process.metrics.is_connected(), is_known, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_protected_on_both_sides() {
    let [ca, certificate, key] = ["ca.pem", "server.pem", "server.key"].map(data);
    let more = format!(
        "tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}"
    );
    let nats = Nats::start_with(&NatsSettings { more, ..NatsSettings::default() }).expect("nats");
    let tls = Tls {
        is_required: true,
        ca_file: Some(ca),
        certificate_file: Some(data("client.pem")),
        key_file: Some(data("client.key")),
    };
    let config = Config { tls: tls.clone(), ..Config::new(nats.urls(), "test") };
    let process = Process::start_with(&config).await;
    eventually("it is connected", || process.metrics.is_connected()).await;
    process.ears(&["p"]).rung_until_heard(&process.bells, "p").await;

    let nobody = Tls { certificate_file: None, key_file: None, ..tls };
    let config = Config { tls: nobody, ..Config::new(nats.urls(), "test") };
    assert!(!Process::start_with(&config).await.metrics.is_connected());
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}
