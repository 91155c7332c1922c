//! The port on etcd.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Client, Compare, CompareOp, Error, PutOptions, Txn, TxnOp, TxnResponse};
use model::MemberId;
use ports::cluster::PolicyRow;
use ports::election::{Agreement, Decision, Election, LEASE_TTL_S, NoQuorum, Registered, Standing};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use crate::config::{BadConfig, EtcdConfig};
use crate::follow;
use crate::keys::Keys;
use crate::links::Links;

/// How often this replica's own lease is prolonged: some may be missed within the lease's life.
const STANDING_INTERVAL: Duration = Duration::from_secs(1);
/// Somebody else may write the policy in between; then it is newer soon.
const POLICY_TRIES_MAX: usize = 4;
/// The status with which etcd says that a lease is gone ("not found" of gRPC).
const LEASE_GONE: &str = "lease not found";

/// What coordinators agree on, in etcd. Dropped, it follows no more and lets its own lease run out.
pub struct EtcdElection {
    etcd: Arc<Etcd>,
    agreement: watch::Receiver<Option<Agreement>>,
    standing: Mutex<Option<DropGuard>>,
    _end: DropGuard,
}

struct Etcd {
    links: Arc<Links>,
    keys: Keys,
    /// This replica's own lease and entry, while it stands.
    own: Mutex<Option<(i64, Standing)>>,
}

impl std::fmt::Debug for EtcdElection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdElection").field("keys", &self.etcd.keys).finish_non_exhaustive()
    }
}

impl EtcdElection {
    /// Begins to follow; etcd need not be there yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the configuration cannot be right.
    pub fn connect(config: &EtcdConfig) -> Result<EtcdElection, BadConfig> {
        let links = Arc::new(Links::new(config)?);
        let keys = Keys::new(&config.namespace);
        let (sender, agreement) = watch::channel(None);
        let end = CancellationToken::new();
        tokio::spawn(follow::follow(Arc::clone(&links), keys.clone(), sender, end.clone()));
        let etcd = Arc::new(Etcd { links, keys, own: Mutex::new(None) });
        Ok(EtcdElection { etcd, agreement, standing: Mutex::new(None), _end: end.drop_guard() })
    }
}

#[async_trait]
impl Election for EtcdElection {
    async fn stand(&self, standing: &Standing) -> Result<(), NoQuorum> {
        self.etcd.stand(standing).await?;
        let end = CancellationToken::new();
        tokio::spawn(keep_standing(Arc::clone(&self.etcd), standing.clone(), end.clone()));
        let mut kept = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(end.drop_guard());
        Ok(())
    }

    async fn withdraw(&self) -> Result<(), NoQuorum> {
        drop(self.standing.lock().unwrap_or_else(PoisonError::into_inner).take());
        let own = self.etcd.own.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((lease, _)) = own else { return Ok(()) };
        let revoke = |mut client: Client| async move {
            match client.lease_revoke(lease).await {
                Ok(_) => Ok(()),
                Err(error) if is_lease_gone(&error) => Ok(()),
                Err(error) => Err(error),
            }
        };
        self.etcd.links.call("revoke own lease", revoke).await
    }

    async fn grant_lease(&self) -> Result<i64, NoQuorum> {
        self.etcd.grant_lease().await
    }

    async fn keep_alive(&self, lease: i64) -> Result<bool, NoQuorum> {
        self.etcd.keep_alive(lease).await
    }

    async fn register(&self, member: &Registered, expected: i64) -> Result<Option<i64>, NoQuorum> {
        let key = self.etcd.keys.member(&member.joining.id);
        let put = TxnOp::put(key.clone(), json(member)?, under(member.lease));
        let txn = Txn::new().when([unchanged(key, expected)]).and_then([put]);
        let register = |mut client: Client| {
            let txn = txn.clone();
            async move {
                match client.txn(txn).await {
                    Ok(answer) => Ok(answer.succeeded().then(|| revision(&answer))),
                    Err(error) if is_lease_gone(&error) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        };
        self.etcd.links.call("register a member", register).await
    }

    async fn deregister(&self, member: &MemberId, modified: i64) -> Result<bool, NoQuorum> {
        let key = self.etcd.keys.member(member);
        let txn = Txn::new()
            .when([unchanged(key.clone(), modified)])
            .and_then([TxnOp::delete(key, None)]);
        self.etcd.commit("remove a member", txn).await
    }

    async fn decide(&self, decision: &Decision) -> Result<bool, NoQuorum> {
        let keys = &self.etcd.keys;
        let mut conditions = vec![unchanged(keys.decided(), decision.expected)];
        let mut writes = vec![TxnOp::put(keys.decided(), json(&decision.decided)?, None)];
        for (member, modified) in &decision.dead {
            conditions.push(unchanged(keys.member(member), *modified));
            writes.push(TxnOp::delete(keys.member(member), None));
        }
        self.etcd.commit("decide", Txn::new().when(conditions).and_then(writes)).await
    }

    async fn copy_policy(&self, policy: &PolicyRow) -> Result<(), NoQuorum> {
        for _ in 0..POLICY_TRIES_MAX {
            if self.etcd.copy_policy(policy).await? {
                return Ok(());
            }
        }
        Err(NoQuorum(
            "the policy in etcd changes all the time; it is copied again later".to_owned(),
        ))
    }

    async fn read(&self) -> Result<Agreement, NoQuorum> {
        let read = |client: Client| follow::read(&self.etcd.keys, client);
        self.etcd.links.call("read everything", read).await
    }

    fn watch(&self) -> watch::Receiver<Option<Agreement>> {
        self.agreement.clone()
    }
}

impl Etcd {
    async fn commit(&self, what: &str, txn: Txn) -> Result<bool, NoQuorum> {
        let commit = |mut client: Client| {
            let txn = txn.clone();
            async move { client.txn(txn).await.map(|answer| answer.succeeded()) }
        };
        self.links.call(what, commit).await
    }

    async fn grant_lease(&self) -> Result<i64, NoQuorum> {
        let grant = |mut client: Client| async move {
            client.lease_grant(LEASE_TTL_S, None).await.map(|lease| lease.id())
        };
        self.links.call("grant a lease", grant).await
    }

    async fn keep_alive(&self, lease: i64) -> Result<bool, NoQuorum> {
        let keep = |mut client: Client| async move {
            match client.lease_keep_alive(lease).await {
                Ok(_) => Ok(true),
                Err(error) if is_lease_gone(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.links.call("keep a lease alive", keep).await
    }

    async fn stand(&self, standing: &Standing) -> Result<(), NoQuorum> {
        let lease = self.grant_lease().await?;
        let key = self.keys.replica(&standing.replica);
        let value = json(standing)?;
        let put = |mut client: Client| {
            let (key, value) = (key.clone(), value.clone());
            async move { client.put(key, value, under(lease)).await.map(drop) }
        };
        self.links.call("register this coordinator", put).await?;
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        *own = Some((lease, standing.clone()));
        Ok(())
    }

    /// Whether a policy of this revision or a newer one is there now.
    async fn copy_policy(&self, policy: &PolicyRow) -> Result<bool, NoQuorum> {
        let key = self.keys.policy();
        let get = |mut client: Client| {
            let key = key.clone();
            async move { client.get(key, None).await }
        };
        let found = self.links.call("read the policy", get).await?;
        let known = found.kvs().first();
        let stored: Option<PolicyRow> =
            known.and_then(|known| serde_json::from_slice(known.value()).ok());
        if stored.is_some_and(|stored| stored.revision >= policy.revision) {
            return Ok(true);
        }
        let modified = known.map_or(0, |known| known.mod_revision());
        let put = TxnOp::put(key.clone(), json(policy)?, None);
        let txn = Txn::new().when([unchanged(key.clone(), modified)]).and_then([put]);
        self.commit("copy the policy", txn).await
    }
}

/// Prolongs the lease of this replica's entry, and registers it anew when that is gone (etcd was wiped, or silent for long).
async fn keep_standing(etcd: Arc<Etcd>, standing: Standing, end: CancellationToken) {
    loop {
        tokio::select! {
            () = sleep(STANDING_INTERVAL) => {}
            () = end.cancelled() => return,
        }
        let lease = {
            let own = etcd.own.lock().unwrap_or_else(PoisonError::into_inner);
            own.as_ref().map(|(lease, _)| *lease)
        };
        let Some(lease) = lease else { return };
        // No answer says nothing about the lease.
        if etcd.keep_alive(lease).await != Ok(false) {
            continue;
        }
        match etcd.stand(&standing).await {
            Ok(()) => info!(replica = standing.replica, "registered this coordinator anew"),
            Err(error) => warn!(%error, "cannot register this coordinator anew"),
        }
    }
}

/// Whether the key was last written at this revision; 0: is not there.
fn unchanged(key: String, revision: i64) -> Compare {
    Compare::mod_revision(key, CompareOp::Equal, revision)
}

fn revision(answer: &TxnResponse) -> i64 {
    answer.header().map_or(0, |header| header.revision())
}

fn under(lease: i64) -> Option<PutOptions> {
    Some(PutOptions::new().with_lease(lease))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, NoQuorum> {
    serde_json::to_vec(value).map_err(|error| NoQuorum(format!("cannot be written down: {error}")))
}

fn is_lease_gone(error: &Error) -> bool {
    matches!(error, Error::LeaseKeepAliveError(_) | Error::GRpcStatus(_))
        && error.to_string().contains(LEASE_GONE)
}
