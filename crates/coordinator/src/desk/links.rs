//! Members that are joined here: their beats, their leases, their entries, and when they are dead.
//!
//! ```text
//!            beat                       silent 500 ms, or stream ended            silent 1 s, or ended and redial refused
//!   joined ───────► alive ────────────────────────────────────────► suspected ──────────────────────────────► dead
//!                     ▲                         beat                    │                                      │
//!                     └─────────────────────────────────────────────────┴───────────────── beat ──────────────┘
//! ```

use ports::cluster::{DEAD_MS, Orders, SUSPECT_MS, Vitals};
use ports::election::{Entry, Registered};

use super::{
    Action, Desk, Dialled, KEEP_ALIVE_MS, LinkId, REFUSED, SILENCE, TICK_MS, Verdict, Written,
};

/// How long the agreement may take to show what was just written, in ms.
const SHOWN_AFTER_MS: u64 = 1_000;

/// A member's stream.
#[derive(Debug)]
pub(super) struct Link {
    /// Its entry as last written from here.
    pub(super) member: Registered,
    /// The revision of that.
    pub(super) modified: i64,
    /// When that was.
    written_ms: u64,
    /// What it told last.
    told: Vitals,
    heard_ms: u64,
    kept_ms: u64,
    has_ended: bool,
    redial: Redial,
    redialled_ms: Option<u64>,
    is_writing: bool,
    pub(super) dead: Option<Verdict>,
    pub(super) orders: Option<Orders>,
}

#[derive(Debug, PartialEq, Eq)]
enum Redial {
    Not,
    Asked,
    /// Asked before everything was forgiven: its answer does not count.
    Void,
}

impl Link {
    pub(super) fn is_suspected(&self, now_ms: u64) -> bool {
        self.has_ended || now_ms.saturating_sub(self.heard_ms) >= SUSPECT_MS
    }

    pub(super) fn forgive(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
        self.dead = None;
        if self.redial == Redial::Asked {
            self.redial = Redial::Void;
        }
    }

    /// At once when its stream ended, then at each tick: the socket it listens on may be closed a little later.
    fn is_to_be_redialled(&self, now_ms: u64) -> bool {
        let is_time = self.redialled_ms.is_none_or(|last| now_ms.saturating_sub(last) >= TICK_MS);
        self.has_ended && self.redial == Redial::Not && is_time
    }

    /// Whether the entry is the one of this stream.
    pub(super) fn owns(&self, entry: &Entry, replica: &str) -> bool {
        entry.member.replica == replica && entry.member.joining.nonce == self.member.joining.nonce
    }

    /// Whether the agreement must show by now what was written from here.
    fn is_shown(&self, revision: i64, now_ms: u64) -> bool {
        revision >= self.modified || now_ms.saturating_sub(self.written_ms) > SHOWN_AFTER_MS
    }

    /// The entry as it should be.
    fn wanted(&self, now: super::Now) -> Registered {
        let was_well = self.member.vitals.store_ok && !self.member.vitals.draining;
        let is_well = self.told.store_ok && !self.told.draining;
        let mut member = self.member.clone();
        member.vitals = self.told.clone();
        if is_well && !was_well {
            member.well_since_ms = now.wall.as_ms();
        }
        member
    }
}

impl Desk {
    pub(super) fn joined(&mut self, id: LinkId, member: Registered, modified: i64) {
        let name = member.joining.id.clone();
        let older = self.links.iter().filter(|(_, link)| link.member.joining.id == name);
        let older: Vec<LinkId> = older.map(|(id, _)| *id).collect();
        older.into_iter().for_each(|link| self.let_go(link));
        self.orphans.remove(&name);
        self.links.insert(
            id,
            Link {
                told: member.vitals.clone(),
                member,
                modified,
                written_ms: self.now.ms,
                heard_ms: self.now.ms,
                kept_ms: self.now.ms,
                has_ended: false,
                redial: Redial::Not,
                redialled_ms: None,
                is_writing: false,
                dead: None,
                orders: None,
            },
        );
    }

    /// Whether it told anything new.
    pub(super) fn beat(&mut self, id: LinkId, mut vitals: Vitals) -> bool {
        let policy = vitals.policy.take();
        // A member whose driver is stuck gives up its shards: its beat counts as none.
        if !vitals.turning {
            return false;
        }
        let Some(link) = self.links.get_mut(&id) else { return false };
        link.heard_ms = self.now.ms;
        let was_dead = link.dead.take().is_some();
        let is_news = link.told != vitals;
        link.told = vitals;
        let newer = policy
            .filter(|new| self.policy.as_ref().is_none_or(|known| known.revision < new.revision));
        let has_policy = newer.is_some();
        if has_policy {
            self.policy = newer;
        }
        self.compare_link(id);
        is_news || has_policy || was_dead
    }

    pub(super) fn ended(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.has_ended = true;
        }
    }

    pub(super) fn redialled(&mut self, id: LinkId, answer: Dialled) {
        let may_accuse = self.may_accuse();
        let Some(link) = self.links.get_mut(&id) else { return };
        let counts = std::mem::replace(&mut link.redial, Redial::Not) == Redial::Asked;
        if counts && may_accuse && link.has_ended && answer == Dialled::Refused {
            link.dead = Some(Verdict { noticed_by: REFUSED, last_sign_ms: link.heard_ms });
        }
    }

    pub(super) fn lease_gone(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        // The entry went with it; the agreement will show that, and then it is enlisted anew.
        link.kept_ms = self.now.ms;
        self.compare_link(id);
    }

    pub(super) fn rewritten(&mut self, id: LinkId, written: Written) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.is_writing = false;
        match written {
            Written::At(revision) => {
                link.modified = revision;
                link.written_ms = now.ms;
                self.compare_link(id);
            }
            // What is there is looked up with the next beat, or when the agreement changes.
            Written::Lost | Written::Unknown => link.modified = 0,
        }
    }

    pub(super) fn enlisted(&mut self, id: LinkId, lease: i64, written: Written) {
        if let Some(link) = self.links.get_mut(&id)
            && let Written::At(_) = written
        {
            link.member.lease = lease;
            link.kept_ms = self.now.ms;
        }
        self.rewritten(id, written);
    }

    /// Suspects, dials, and finds dead.
    pub(super) fn judge(&mut self) {
        if !self.may_accuse() {
            return;
        }
        let now_ms = self.now.ms;
        for (id, link) in &mut self.links {
            if link.dead.is_some() {
                continue;
            }
            if now_ms.saturating_sub(link.heard_ms) >= DEAD_MS {
                link.dead = Some(Verdict { noticed_by: SILENCE, last_sign_ms: link.heard_ms });
            } else if link.is_to_be_redialled(now_ms) {
                link.redial = Redial::Asked;
                link.redialled_ms = Some(now_ms);
                let address = link.member.joining.address.clone();
                self.actions.push(Action::Redial { link: *id, address });
            }
        }
    }

    pub(super) fn keep_leases(&mut self) {
        let now_ms = self.now.ms;
        for (id, link) in &mut self.links {
            if link.is_suspected(now_ms) || now_ms.saturating_sub(link.kept_ms) < KEEP_ALIVE_MS {
                continue;
            }
            link.kept_ms = now_ms;
            self.actions.push(Action::KeepAlive { link: *id, lease: link.member.lease });
        }
    }

    /// Compares every stream with the agreement.
    pub(super) fn compare_links(&mut self) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.compare_link(link));
    }

    /// Whether the entry is still this stream's, and says what the member told.
    fn compare_link(&mut self, id: LinkId) {
        let now = self.now;
        let (Some(agreement), Some(link)) = (&self.agreement, self.links.get_mut(&id)) else {
            return;
        };
        let is_gone = link.dead.is_some() || link.is_suspected(now.ms);
        match agreement.members.get(&link.member.joining.id) {
            _ if link.is_writing || !link.is_shown(agreement.revision, now.ms) => {}
            Some(entry) if !link.owns(entry, &self.replica) => self.let_go(id),
            Some(entry) => {
                if entry.modified > link.modified {
                    link.modified = entry.modified;
                    link.member = entry.member.clone();
                }
                if link.told != link.member.vitals && !is_gone {
                    self.rewrite(id);
                }
            }
            // Declared dead, and so it is: whoever wakes up joins again.
            None if is_gone => self.let_go(id),
            None => self.enlist(id),
        }
    }

    fn rewrite(&mut self, id: LinkId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let (member, expected) = (link.wanted(now), link.modified);
        link.member = member.clone();
        link.is_writing = true;
        self.actions.push(Action::Rewrite { link: id, member: Box::new(member), expected });
    }

    fn enlist(&mut self, id: LinkId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let member = link.wanted(now);
        link.member = member.clone();
        link.is_writing = true;
        self.actions.push(Action::Enlist { link: id, member: Box::new(member) });
    }

    pub(super) fn let_all_go(&mut self) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.let_go(link));
    }

    /// Ends a stream from our side.
    pub(super) fn let_go(&mut self, id: LinkId) {
        if self.links.remove(&id).is_some() {
            self.actions.push(Action::LetGo { link: id });
        }
    }
}
