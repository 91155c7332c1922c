//! The agreement on a real etcd.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use election_etcd::{EtcdConfig, EtcdElection};
use engine::placement::Policy;
use model::{MemberId, Nonce};
use ports::cluster::{Joining, PolicyRow, Vitals};
use ports::election::{Agreement, Decided, Decision, Election, Registered, Standing};
use testkit::etcd::Etcd;
use tokio::process::Command;
use tokio::time::timeout;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(etcd: &Etcd, namespace: &str) -> EtcdConfig {
    EtcdConfig {
        endpoints: etcd.endpoints(),
        namespace: namespace.to_owned(),
        ..EtcdConfig::default()
    }
}

fn elect(etcd: &Etcd) -> EtcdElection {
    EtcdElection::connect(&config(etcd, "test")).unwrap()
}

async fn member(election: &EtcdElection, id: &str) -> Registered {
    Registered {
        joining: Joining {
            id: MemberId::new(id),
            nonce: Nonce(7),
            address: "http://127.0.0.1:1".to_owned(),
            priority: 0,
            weight: 1,
            shards: 8,
        },
        vitals: Vitals { turning: true, store_ok: true, ..Vitals::default() },
        replica: "c0".to_owned(),
        lease: election.grant_lease().await.unwrap(),
        well_since_ms: 5,
    }
}

/// Waits until the watch shows something.
async fn sees(
    election: &EtcdElection,
    what: &str,
    right: impl Fn(&Agreement) -> bool,
) -> Agreement {
    let mut watch = election.watch();
    let found = watch.wait_for(|agreement| agreement.as_ref().is_some_and(&right));
    match timeout(PATIENCE, found).await {
        Ok(found) => found.unwrap().clone().unwrap(),
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Waits until the watch has lost its trust.
async fn loses(election: &EtcdElection) {
    timeout(PATIENCE, election.watch().wait_for(Option::is_none)).await.unwrap().unwrap();
}

fn decision(number: i64, expected: i64, dead: &[(&str, i64)]) -> Decision {
    Decision {
        decided: Decided { number, ..Decided::default() },
        expected,
        dead: dead.iter().map(|(id, modified)| (MemberId::new(*id), *modified)).collect(),
    }
}

#[tokio::test]
async fn an_entry_is_replaced_in_its_place_and_only_by_who_saw_it() {
    let etcd = Etcd::start().unwrap();
    let election = elect(&etcd);
    let mut a = member(&election, "a").await;
    let first = election.register(&a, 0).await.unwrap().unwrap();
    assert_eq!(election.register(&a, 0).await, Ok(None), "it is there already");
    a.replica = "c1".to_owned();
    let second = election.register(&a, first).await.unwrap().unwrap();
    let b = member(&election, "b").await;
    election.register(&b, 0).await.unwrap().unwrap();

    let read = election.read().await.unwrap();
    let entry = &read.members["a"];
    assert_eq!((entry.created, entry.modified), (first, second));
    assert_eq!(entry.member, a);
    assert!(read.members["b"].created > entry.created);
    assert_eq!(sees(&election, "both", |now| now.members.len() == 2).await, read);

    assert_eq!(election.deregister(&a.joining.id, first).await, Ok(false));
    assert_eq!(election.deregister(&a.joining.id, second).await, Ok(true));
    sees(&election, "b alone", |now| now.members.len() == 1).await;
}

#[tokio::test]
async fn a_decision_and_its_deaths_are_written_together_or_not_at_all() {
    let etcd = Etcd::start().unwrap();
    let election = elect(&etcd);
    let mut a = member(&election, "a").await;
    let first = election.register(&a, 0).await.unwrap().unwrap();
    assert_eq!(election.decide(&decision(1, 0, &[])).await, Ok(true));
    assert_eq!(election.decide(&decision(1, 0, &[])).await, Ok(false), "somebody was faster");
    let (_, at) = election.read().await.unwrap().decided.unwrap();

    // a was judged by its first entry, and joined another replica since.
    a.replica = "c1".to_owned();
    let second = election.register(&a, first).await.unwrap().unwrap();
    assert_eq!(election.decide(&decision(2, at, &[("a", first)])).await, Ok(false));
    assert_eq!(election.read().await.unwrap().members.len(), 1);

    assert_eq!(election.decide(&decision(2, at, &[("a", second)])).await, Ok(true));
    let now = sees(&election, "a's death", |now| now.members.is_empty()).await;
    assert_eq!(now.decided.unwrap().0.number, 2);
}

#[tokio::test]
async fn the_newest_policy_wins_and_namespaces_are_apart() {
    let etcd = Etcd::start().unwrap();
    let election = elect(&etcd);
    let row = |revision| PolicyRow { revision, policy: Policy::default() };
    election.copy_policy(&row(2)).await.unwrap();
    election.copy_policy(&row(1)).await.unwrap();
    assert_eq!(election.read().await.unwrap().policy.unwrap().revision, 2);
    election.copy_policy(&row(3)).await.unwrap();
    sees(&election, "policy 3", |now| now.policy.as_ref().is_some_and(|one| one.revision == 3))
        .await;
    let other = EtcdElection::connect(&config(&etcd, "test2")).unwrap();
    assert_eq!(other.read().await.unwrap().policy, None);
}

#[tokio::test]
async fn leases_live_while_they_are_kept_and_an_entry_ends_with_its_own() {
    let etcd = Etcd::start().unwrap();
    let election = elect(&etcd);
    let a = member(&election, "a").await;
    election.register(&a, 0).await.unwrap().unwrap();
    assert_eq!(election.keep_alive(a.lease).await, Ok(true));
    assert_eq!(election.keep_alive(12345).await, Ok(false));
    let gone = Registered { lease: 12345, ..member(&election, "b").await };
    assert_eq!(election.register(&gone, 0).await, Ok(None), "the lease is gone");
    sees(&election, "a", |now| now.members.len() == 1).await;
    sees(&election, "the end of a's lease", |now| now.members.is_empty()).await;
}

#[tokio::test]
async fn a_replica_stands_until_it_withdraws_also_over_a_wipe() {
    let mut etcd = Etcd::start().unwrap();
    let election = elect(&etcd);
    let standing = Standing { replica: "c0".to_owned(), address: "http://127.0.0.1:2".to_owned() };
    election.stand(&standing).await.unwrap();
    let there = BTreeMap::from([(standing.replica, standing.address)]);
    sees(&election, "c0", |now| now.replicas == there).await;
    election.copy_policy(&PolicyRow { revision: 1, policy: Policy::default() }).await.unwrap();
    let before = election.read().await.unwrap().revision;

    etcd.wipe().unwrap();

    let now =
        sees(&election, "c0 again", |now| now.policy.is_none() && now.replicas == there).await;
    assert!(now.revision <= before, "etcd began anew");
    election.withdraw().await.unwrap();
    sees(&election, "nobody", |now| now.replicas.is_empty()).await;
}

#[tokio::test]
async fn a_dead_or_frozen_etcd_is_not_trusted_and_comes_back() {
    let mut etcd = Etcd::start().unwrap();
    let election = elect(&etcd);
    let a = member(&election, "a").await;
    election.register(&a, 0).await.unwrap().unwrap();
    sees(&election, "a", |now| now.members.len() == 1).await;

    etcd.freeze().unwrap();
    loses(&election).await;
    assert!(election.read().await.is_err());
    etcd.thaw().unwrap();
    sees(&election, "a again", |now| now.members.len() <= 1).await;

    etcd.kill().unwrap();
    loses(&election).await;
    let error = election.decide(&decision(1, 0, &[])).await.unwrap_err().to_string();
    assert!(error.contains("etcd does not answer (decide"), "{error}");
    etcd.start_all().unwrap();
    sees(&election, "etcd again", |_| true).await;
}

#[tokio::test]
async fn a_cluster_without_a_quorum_agrees_on_nothing() {
    let mut etcd = Etcd::start_cluster().unwrap();
    let election = elect(&etcd);
    sees(&election, "the cluster", |_| true).await;
    etcd.nodes()[0].freeze().unwrap();
    // Whichever node it spoke with, another one answers.
    let a = timeout(PATIENCE, async {
        loop {
            if let Ok(found) = election.read().await {
                return found;
            }
        }
    });
    assert!(a.await.is_ok());
    etcd.nodes()[1].kill().unwrap();
    etcd.nodes()[0].kill().unwrap();
    assert!(election.decide(&decision(1, 0, &[])).await.is_err());
    loses(&election).await;
    etcd.start_all().unwrap();
    sees(&election, "the cluster again", |_| true).await;
}

#[tokio::test]
async fn garbage_and_compaction_harm_nobody() {
    let etcd = Etcd::start().unwrap();
    let endpoint = etcd.endpoints().remove(0);
    let put = |key: &str, value: &str| {
        let body = format!(r#"{{"key":"{}","value":"{}"}}"#, base64(key), base64(value));
        let endpoint = endpoint.clone();
        async move { post(&endpoint, "/v3/kv/put", &body).await }
    };
    put("/howdah/test/members/x", "no JSON").await;
    put("/howdah/test/unknown", "?").await;
    let election = elect(&etcd);
    let a = member(&election, "a").await;
    let first = election.register(&a, 0).await.unwrap().unwrap();
    sees(&election, "a alone", |now| now.members.len() == 1).await;
    put("/howdah/test/members/a", "no JSON").await;
    sees(&election, "nobody who can be read", |now| now.members.is_empty()).await;
    put("/howdah/test/decided", "{}").await;
    let compact = format!(r#"{{"revision":"{}"}}"#, first + 1);
    post(&endpoint, "/v3/kv/compaction", &compact).await;
    let late = elect(&etcd);
    let b = member(&late, "b").await;
    late.register(&b, 0).await.unwrap().unwrap();
    for one in [&election, &late] {
        sees(one, "b", |now| now.members.contains_key("b") && now.decided.is_none()).await;
    }
}

#[tokio::test]
async fn a_user_with_a_password_is_let_in_and_nobody_else() {
    let etcd = Etcd::start().unwrap();
    let endpoint = etcd.endpoints().remove(0);
    post(&endpoint, "/v3/auth/user/add", r#"{"name":"root","password":"secret"}"#).await;
    post(&endpoint, "/v3/auth/user/grant", r#"{"user":"root","role":"root"}"#).await;
    post(&endpoint, "/v3/auth/enable", "{}").await;
    let stranger = elect(&etcd);
    let error = stranger.read().await.unwrap_err().to_string();
    assert!(error.contains("user name is empty"), "{error}");
    let config = EtcdConfig {
        user: Some("root".to_owned()),
        password: Some("secret".to_owned()),
        ..config(&etcd, "test")
    };
    let known = EtcdElection::connect(&config).unwrap();
    let a = member(&known, "a").await;
    known.register(&a, 0).await.unwrap().unwrap();
    sees(&known, "a", |now| now.members.len() == 1).await;
}

#[tokio::test]
async fn certificates_are_used_on_encrypted_endpoints() {
    let pki = tempfile::tempdir().unwrap();
    let path = |name: &str| pki.path().join(name).to_string_lossy().into_owned();
    let made = Command::new("sh").args(["-ec", PKI, "pki"]).arg(pki.path()).output().await.unwrap();
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    let etcd = Etcd::start_tls(&path("ca.pem"), &path("one.pem"), &path("one.key")).unwrap();
    let config = EtcdConfig {
        ca: Some(path("ca.pem").into()),
        cert: Some(path("one.pem").into()),
        key: Some(path("one.key").into()),
        ..config(&etcd, "test")
    };
    let election = EtcdElection::connect(&config).unwrap();
    sees(&election, "etcd", |_| true).await;
    let a = member(&election, "a").await;
    election.register(&a, 0).await.unwrap().unwrap();
    sees(&election, "a", |now| now.members.len() == 1).await;
    let stranger = EtcdElection::connect(&EtcdConfig { cert: None, key: None, ..config }).unwrap();
    assert!(stranger.read().await.is_err(), "who has no certificate is not let in");
}

/// An authority, and one certificate for server and client.
const PKI: &str = r#"
cd "$1"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=one -keyout one.key -out one.csr
printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' >one.ext
openssl x509 -req -in one.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile one.ext -out one.pem
"#;

/// A request to etcd's gateway for JSON.
async fn post(endpoint: &str, path: &str, body: &str) {
    let url = format!("{endpoint}{path}");
    let body = body.to_owned();
    tokio::task::spawn_blocking(move || testkit::etcd::post(&url, &body).unwrap()).await.unwrap();
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |bytes: &[u8]| -> String {
        let bits = bytes.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - bytes.len()));
        let digit = |at: usize| match at <= bytes.len() {
            true => char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]),
            false => '=',
        };
        (0..4).map(digit).collect()
    };
    text.as_bytes().chunks(3).map(group).collect()
}
